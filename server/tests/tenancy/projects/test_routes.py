"""Projects through the door (api 9.2, 9.28; behaviour 13.10)."""

import pytest
import world

from strait_server.app.reactions import REACTIONS
from strait_server.base.outbox import Relay
from strait_server.tenancy.projects import service as projects

A_PROJECT = {"id": "proj_9", "org_id": "org_1", "name": "Ninth"}


@pytest.fixture
async def operator(door):
    """One of our own services."""
    return await door(internal=True)


async def test_a_project_is_created_with_an_id_of_choice(operator):
    answer = await operator.post("/v1/projects", json=A_PROJECT)

    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == {"id", "org_id", "name", "created_at", "updated_at"}
    assert {key: made[key] for key in A_PROJECT} == A_PROJECT


async def test_an_id_that_exists_gets_the_new_name(operator):
    first = (await operator.post("/v1/projects", json=A_PROJECT)).json()

    answer = await operator.post("/v1/projects", json={**A_PROJECT, "name": "Renamed"})

    assert answer.status_code == 201
    assert answer.json()["name"] == "Renamed"
    assert answer.json()["created_at"] == first["created_at"]


async def test_a_deleted_project_comes_back(operator):
    await operator.post("/v1/projects", json=A_PROJECT)
    await operator.delete("/v1/projects/proj_9")

    answer = await operator.post("/v1/projects", json=A_PROJECT)

    assert answer.status_code == 201
    assert (await operator.get("/v1/projects/proj_9")).status_code == 200


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "x"}, "name: failed on 'min=2'"),
        ({"name": None}, "name: must be str, not null"),
        ({"org_id": ""}, "org_id: failed on 'min=1'"),
        ({"id": "a/b"}, "id: 1 to 64 characters without '/', '..' and control characters"),
    ],
)
async def test_what_is_no_project_is_refused(operator, change, problem):
    answer = await operator.post("/v1/projects", json={**A_PROJECT, **change})

    assert answer.status_code == 400
    assert answer.json()["details"] == [problem]


async def test_a_key_cannot_create_projects(client):
    answer = await client.post("/v1/projects", json=A_PROJECT)

    assert answer.status_code == 403
    assert answer.json()["message"] == "project creation requires internal secret"


async def test_a_key_sees_its_own_project(client, db):
    await world.a_project(db, "proj_2")

    answer = await client.get("/v1/projects")

    assert answer.status_code == 200
    assert [project["id"] for project in answer.json()] == [world.PROJECT]


async def test_our_own_service_sees_those_of_an_organization(operator, db):
    await world.a_project(db, "proj_1")
    await world.a_project(db, "proj_2")
    await projects.delete(db, "proj_2")

    listed = await operator.get("/v1/projects?org_id=org_1")
    unsaid = await operator.get("/v1/projects")

    assert [project["id"] for project in listed.json()] == ["proj_1"]
    assert unsaid.status_code == 400
    assert unsaid.json()["message"] == "org_id is required"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/settings"),
        ("PUT", "/settings"),
        ("GET", "/quotas"),
        ("PUT", "/quotas"),
    ],
)
async def test_another_project_is_not_found(client, db, method, path):
    """T73."""
    await world.a_project(db, "proj_2")

    answer = await client.request(method, f"/v1/projects/proj_2{path}", json={})

    assert answer.status_code == 404
    assert answer.json()["message"] == "project not found"


async def test_a_deleted_project_is_not_found(operator, db):
    await world.a_project(db)

    deleted = await operator.delete("/v1/projects/proj_1")

    assert deleted.status_code == 204
    assert deleted.content == b""
    assert (await operator.get("/v1/projects/proj_1")).status_code == 404
    assert (await operator.delete("/v1/projects/proj_1")).status_code == 404


async def test_a_deletion_is_told_to_other_rooms(client, db):
    await client.delete("/v1/projects/proj_1")

    [(fact, body)] = await world.facts(db)
    assert fact == "ProjectDeleted"
    assert body["project_id"] == "proj_1"


async def test_nobody_gets_into_a_deleted_project(client, db, api):
    assert (await client.get("/v1/projects/proj_1")).status_code == 200

    await projects.delete(db, "proj_1")
    api.services.keyring.hear("project:proj_1")

    refused = await client.get("/v1/projects/proj_1")
    assert refused.status_code == 401
    assert refused.json()["message"] == "api key has been revoked"


async def test_the_keys_of_a_deleted_project_end(database, db):
    """When the relay comes by; nobody could use them meanwhile."""
    await world.a_key(db)
    await world.a_key(db, project_id="proj_2")
    await projects.delete(db, "proj_1")

    assert await Relay(REACTIONS).step(db) == 1

    ended = await db.raw.fetch("select project_id from api_keys where revoked_at is not null")
    assert [row[0] for row in ended] == ["proj_1"]


async def test_settings_are_changed_one_by_one(client):
    before = await client.get("/v1/projects/proj_1/settings")

    changed = await client.put("/v1/projects/proj_1/settings", json={"timezone": "Europe/Berlin"})
    unchanged = await client.put("/v1/projects/proj_1/settings")

    usual = {"project_id": "proj_1", "timezone": "UTC", "default_region": "", "plan_tier": "free"}
    assert before.json() == usual
    assert changed.json() == unchanged.json() == {**usual, "timezone": "Europe/Berlin"}


async def test_a_region_is_kept_and_told(client):
    """Design 9: and means nothing."""
    changed = await client.put("/v1/projects/proj_1/settings", json={"default_region": "iad"})
    later = await client.put("/v1/projects/proj_1/settings", json={"timezone": "Europe/Berlin"})

    assert changed.json()["default_region"] == later.json()["default_region"] == "iad"


async def test_a_time_zone_is_one_that_exists(client):
    answer = await client.put("/v1/projects/proj_1/settings", json={"timezone": "Mars/Olympus"})

    assert answer.status_code == 400
    assert answer.json()["details"][0].startswith("timezone: ")


async def test_a_project_has_no_quotas_until_it_gets_some(client):
    answer = await client.get("/v1/projects/proj_1/quotas")

    assert answer.json() == {
        "timezone": "UTC",
        "max_queued_runs": 0,
        "max_executing_runs": 0,
        "max_jobs": 0,
        "rate_limit_requests": 0,
        "rate_limit_window_secs": 0,
    }


async def test_quotas_are_changed_one_by_one(client):
    await client.put("/v1/projects/proj_1/quotas", json={"max_queued_runs": 10, "max_jobs": 3})

    answer = await client.put(
        "/v1/projects/proj_1/quotas", json={"max_jobs": 0, "timezone": "Europe/Berlin"}
    )

    assert answer.status_code == 200
    assert answer.json() == (await client.get("/v1/projects/proj_1/quotas")).json()
    assert answer.json()["max_queued_runs"] == 10
    assert answer.json()["max_jobs"] == 0
    assert answer.json()["timezone"] == "Europe/Berlin"


@pytest.mark.parametrize("value", [-1, 2**31, "many", 1.5])
async def test_a_quota_is_a_count(client, value):
    """T118d."""
    answer = await client.put("/v1/projects/proj_1/quotas", json={"max_jobs": value})

    assert answer.status_code == 400


async def test_a_quota_of_requests_holds_for_the_whole_project(client, db, door):
    """Behaviour 13.6."""
    quotas = {"rate_limit_requests": 3, "rate_limit_window_secs": 60}
    await db.raw.execute(
        "insert into project_quotas (project_id, rate_limit_requests, rate_limit_window_secs) "
        "values ('proj_1', $1, $2)",
        *quotas.values(),
    )
    other = await door((await world.a_key(db)).key)

    answers = [await each.get("/v1/projects") for each in (client, other, client, other)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[-1].headers["x-ratelimit-limit"] == "3"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
