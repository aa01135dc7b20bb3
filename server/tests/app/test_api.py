"""The API as a whole (api 1, 3, 9.1; behaviour 13.10, 15.4)."""

import json

import pytest
import serving
import world

from strait_server.app import api as app
from strait_server.base import ids
from strait_server.base.http.guards import Requires
from strait_server.base.http.reference import make_router


@pytest.fixture(scope="module")
def document():
    return app.document()


@pytest.mark.parametrize("path", ["/v1/projects", "/v1/projects/", "/v1//projects"])
async def test_both_forms_of_a_path_answer(client, path):
    answer = await client.get(path)

    assert answer.status_code == 200


async def test_a_post_is_not_redirected(client):
    answer = await client.post("/v1/api-keys/", json={"name": "ci"})

    assert answer.status_code == 201


async def test_an_unknown_path_answers_in_the_envelope(client):
    answer = await client.get("/v1/nothing", headers={"X-Request-Id": "req-1"})

    assert answer.status_code == 404
    assert answer.json() == {
        "error": "not found",
        "code": "not_found",
        "message": "not found",
        "request_id": "req-1",
    }


async def test_a_wrong_method_says_which_are_right(client):
    answer = await client.patch("/v1/projects")

    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert set(answer.headers["allow"].split(", ")) >= {"GET", "POST"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/jobs", 200),
        ("/reference/openapi.json", 200),
        (f"/v1/runs/{ids.new_id()}", 404),
        ("/v1/jobs/nope/trigger", 405),
        ("/nowhere", 404),
    ],
)
async def test_head_is_answered_as_get_is_without_the_body(client, path, status):
    """RFC 9110, 9.3.2; by both doors."""
    whole, head = await client.get(path), await client.head(path)

    assert (head.status_code, whole.status_code, head.content) == (status, status, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["content-type"] == whole.headers["content-type"]


async def test_an_id_that_is_none_is_not_found(client):
    answer = await client.get("/v1/secrets/nonsense")

    assert answer.status_code == 404
    assert answer.json()["message"] == "not found"


async def test_a_parameter_of_the_wrong_type_is_named(client):
    answer = await client.get("/v1/jobs?enabled=nonsense")

    assert answer.status_code == 400
    assert answer.json()["message"] == "validation failed"
    assert answer.json()["details"][0].startswith("enabled: ")


async def test_a_body_needs_no_content_type(client):
    answer = await client.post("/v1/api-keys", content=b'{"name":"ci"}')

    assert answer.status_code == 201


async def test_no_body_is_an_empty_body(client):
    answer = await client.put(
        "/v1/projects/proj_1/settings", headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 200


async def test_a_body_has_a_limit_and_triggers_have_a_larger_one(client):
    """Api 1.2."""
    large = b'{"payload":"' + b"x" * 1_100_000 + b'"}'

    usual = await client.post("/v1/secrets", content=large)
    trigger = await client.post("/v1/jobs/nope/trigger", content=large)

    assert usual.status_code == 413
    assert usual.json()["message"] == "request body too large: at most 1048576 bytes"
    assert trigger.status_code == 404


async def test_living_needs_no_credentials_and_tells_no_details(door):
    answer = await (await door()).get("/health")

    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "edition", "version", "uptime_seconds"}
    assert answer.json()["status"] == "ok"
    assert answer.json()["edition"] == "community"


async def test_our_own_service_hears_of_the_subsystems(door):
    answer = await (await door(internal=True)).get("/health")

    assert answer.json()["subsystems"] == {"database": "up"}


async def test_ready_is_who_can_serve(door):
    answer = await (await door()).get("/health/ready")

    assert answer.status_code == 200
    assert answer.json()["status"] == "up"
    [component] = answer.json()["components"]
    assert set(component) == {"name", "status", "latency_ms"}


async def test_without_a_database_we_live_but_are_not_ready(database, raw, door, postgres):
    """Behaviour 15.4."""
    stranger, operator = await door(), await door(internal=True)
    name = await raw.fetchval("select current_database()")
    await postgres.refuse(name)

    living, ready = await stranger.get("/health"), await operator.get("/health/ready")

    await postgres.allow(name)
    assert (living.status_code, living.json()["status"]) == (200, "down")
    assert ready.status_code == 503
    assert ready.json()["status"] == "down"
    assert ready.json()["code"] == "service_unavailable"
    assert ready.json()["components"][0]["error"]
    assert ready.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/plain"),
        ("*/*", "text/plain"),
        ("text/plain;version=0.0.4", "text/plain"),
        ("application/openmetrics-text,application/json", "text/plain"),
        ("application/json", "application/json"),
    ],
)
async def test_metrics_are_text_unless_only_json_will_do(door, accept, kind):
    operator = await door(internal=True)
    if accept is None:
        del operator.headers["Accept"]

    answer = await operator.get("/metrics", headers={"Accept": accept} if accept else {})

    assert answer.status_code == 200
    assert answer.headers["content-type"] in {kind, f"{kind}; version=0.0.4; charset=utf-8"}


async def test_metrics_as_json_are_families_with_samples(door):
    answer = await (await door(internal=True)).get(
        "/metrics", headers={"Accept": "application/json"}
    )

    by_name = {family["name"]: family for family in answer.json()["metrics"]}
    pool = by_name["strait_db_pool_max_conns"]
    assert pool["type"] == "gauge"
    assert pool["samples"][0]["value"] == 10


async def test_metrics_are_for_those_who_may_see_statistics(db, door):
    reader = await door((await world.a_key(db, "stats:read")).key)
    other = await door((await world.a_key(db, "jobs:read")).key)
    stranger = await door("strait_" + "0" * 64)

    assert (await reader.get("/metrics")).status_code == 200
    assert (await other.get("/metrics")).status_code == 403
    assert (await (await door()).get("/metrics")).status_code == 401
    assert (await stranger.get("/metrics")).json()["message"] == "invalid api key"


async def test_the_document_is_made_once_for_the_reference_and_its_page():
    made = []

    def describe():
        made.append(app.document())
        return made[-1]

    async with serving.client_of(serving.routes(make_router(describe))) as client:
        for path in ("/reference", "/reference/openapi.json", "/reference"):
            assert (await client.get(path)).status_code == 200

    assert len(made) == 1


async def test_the_reference_is_a_page_that_loads_nothing(door):
    answer = await (await door()).get("/reference")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'"
    )
    assert "<script" not in answer.text
    assert "src=" not in answer.text
    assert "createApiKey" in answer.text


async def test_the_document_is_served_to_everybody(door, document):
    stranger = await door()

    as_json = await stranger.get("/reference/openapi.json")
    as_yaml = await stranger.get("/reference/openapi.yaml")

    assert as_json.json() == json.loads(json.dumps(document))
    assert as_yaml.status_code == 301
    assert as_yaml.headers["location"] == "/reference/openapi.json"


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(document):
    operations = [it for path in document["paths"].values() for it in path.values()]

    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert [it["operationId"] for it in operations if not it["description"]] == []


def test_every_operation_below_v1_says_who_may_call_it(document):
    unguarded = [
        operation["operationId"]
        for path, item in document["paths"].items()
        for operation in item.values()
        if path.startswith("/v1/")
        if not operation["security"] or not operation.get("x-required-scopes")
    ]

    assert unguarded == []


def test_the_document_knows_both_ways_to_say_who_one_is(document):
    schemes = document["components"]["securitySchemes"]

    assert document["openapi"].startswith("3.1")
    assert schemes["bearerAuth"]["scheme"] == "bearer"
    assert schemes["internalSecret"]["name"] == "X-Internal-Secret"


def test_every_reference_in_the_document_leads_somewhere(document):
    text = json.dumps(document)
    wanted = {part.split('"')[0] for part in text.split('"$ref": "#/components/')[1:]}
    there = {
        f"{kind}/{name}"
        for kind in ("schemas", "responses")
        for name in document["components"][kind]
    }

    assert wanted <= there


def test_a_permission_can_be_one_of_several():
    assert Requires("webhooks:read", "runs:read").scopes == ("webhooks:read", "runs:read")
