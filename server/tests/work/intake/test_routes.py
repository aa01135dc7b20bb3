"""Triggers through the door (api 1.2, 2.3, 5, 6, 9.4, 16; traps T73, T95, T107, T118b)."""

import pytest
import world
from work.intake.triggering import TOKENS

from strait_server.base import clock, ids

EXTRAS = {"job_id", "project_id", "created_at"}


@pytest.fixture
async def job(db):
    return await world.a_job(db, slug="resize")


@pytest.fixture
async def trigger(client, job):
    async def trigger(*, headers=None, **body):
        return await client.post("/v1/jobs/resize/trigger", json=body, headers=headers)

    return trigger


def told(answer):
    """Tell the status, the code and the message of a refusal."""
    problem = answer.json()
    return answer.status_code, problem["code"], problem["message"]


async def test_a_new_run_is_created(trigger):
    """Api 16.1."""
    answer = await trigger(payload={"image": 42}, priority=3, tags={"src": "upload"})

    assert answer.status_code == 201
    run = answer.json()
    assert set(run) == {"id", "status", "payload_hash", "run_token", "idempotency_hit"} | EXTRAS
    assert (run["status"], run["idempotency_hit"]) == ("queued", False)


async def test_a_known_key_answers_its_run(trigger):
    """Api 16.1."""
    first = (await trigger(headers={"X-Idempotency-Key": "img-42"})).json()

    answer = await trigger(headers={"X-Idempotency-Key": "img-42"}, payload={"other": True})

    assert answer.status_code == 200
    assert answer.json() == {"id": first["id"], "status": "queued", "idempotency_hit": True}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"X-Idempotency-Key": "k", "Idempotency-Key": "other"}, "another"),
        ({"Idempotency-Key": "k"}, "another"),
        ({"X-Idempotency-Key": "", "Idempotency-Key": " k "}, None),
        ({}, "k"),
    ],
)
async def test_the_key_is_that_of_the_first_place_that_has_one(trigger, headers, body):
    first = (await trigger(idempotency_key="k")).json()

    answer = await trigger(headers=headers, idempotency_key=body)

    assert answer.json()["id"] == first["id"]


async def test_a_key_is_the_same_in_the_header_as_in_the_body(trigger):
    first = (await trigger(idempotency_key="größe-42")).json()

    answer = await trigger(headers={"Idempotency-Key": "größe-42".encode()})

    assert answer.json() == {"id": first["id"], "status": "queued", "idempotency_hit": True}


async def test_a_key_in_another_encoding_is_refused(trigger):
    answer = await trigger(headers={"Idempotency-Key": "größe-42".encode("latin-1")})

    assert told(answer) == (
        400,
        "validation_error",
        "Idempotency-Key: must be UTF-8; or send idempotency_key in the body",
    )


@pytest.mark.parametrize("size", [256, 257])
async def test_a_key_has_at_most_256_characters(trigger, size):
    in_header = await trigger(headers={"Idempotency-Key": "k" * size})
    in_body = await trigger(idempotency_key="b" * size)

    expected = 201 if size == 256 else 400
    assert [in_header.status_code, in_body.status_code] == [expected, expected]


async def test_the_key_of_a_dry_run_counts_wherever_it_stands(trigger):
    await trigger(idempotency_key="k")

    for said in ({"headers": {"Idempotency-Key": "k"}}, {"idempotency_key": "k"}):
        answer = await trigger(**said, dry_run=True)

        assert answer.status_code == 200
        assert answer.json()["validation_warnings"] == ["the idempotency key is taken"]


async def test_a_dry_run_shows_the_job_as_it_is_shown(client, trigger):
    plan = (await trigger(dry_run=True, payload={"b": 1, "a": 2})).json()

    assert plan["job"] == (await client.get("/v1/jobs/resize")).json()
    assert plan["payload"] == {"a": 2, "b": 1}
    assert set(plan) == {"job", "payload_hash", "payload", "expires_at"}


@pytest.mark.parametrize("path", ["trigger/bulk", "trigger-bulk"])
async def test_a_bulk_is_created(client, job, path):
    """Api 16.2."""
    answer = await client.post(
        f"/v1/jobs/resize/{path}", json={"items": [{"payload": {"image": 1}}, {}]}
    )

    assert answer.status_code == 201
    bulk = answer.json()
    assert set(bulk) == {"batch_id", "results", "total", "created"}
    assert [set(result) for result in bulk["results"]] == [
        {"id", "status", "run_token", "idempotency_hit"}
    ] * 2
    assert (await client.get(f"/v1/batch-operations/{bulk['batch_id']}")).json()["item_count"] == 2


@pytest.mark.parametrize(
    ("item", "path"),
    [({"priority": 11}, "items[1].priority"), ({"idempotency_key": "k" * 257}, "items[1]")],
)
async def test_a_bad_item_is_named(client, db, job, item, path):
    answer = await client.post("/v1/jobs/resize/trigger/bulk", json={"items": [{}, item]})

    assert told(answer) == (400, "validation_error", "validation failed")
    assert answer.json()["details"][0].startswith(path)
    assert await world.count(db, "runs") == 0


@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": [{}] * 501}])
async def test_a_bulk_of_too_few_or_too_many_is_refused(client, job, body):
    answer = await client.post("/v1/jobs/resize/trigger/bulk", json=body)

    assert answer.status_code == 400


async def test_a_trigger_needs_no_body(client, job):
    assert (await client.post("/v1/jobs/resize/trigger")).status_code == 201


async def test_unknown_fields_are_ignored(trigger):
    assert (await trigger(debounce="x", colour=3)).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"priority":"high"}',
        b'{"payload":{"a":1,"a":2}}',
        b'{"payload":"\xff"}',
        b'{"payload":' + b"[" * 600 + b"]" * 600 + b"}",
        rb'{"payload":"\ud800"}',
        b'{"scheduled_at":"2030-01-01T00:00:00"}',
        b'{"scheduled_at":"tomorrow"}',
        b'{"ttl_secs":-1}',
        b'{"tags":{"":"x"}}',
        b'{"tags":{"k":1}}',
        b'{"concurrency_key":"' + b"k" * 257 + b'"}',
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(client, db, job, body):
    answer = await client.post("/v1/jobs/resize/trigger", content=body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "validation_error"
    assert await world.count(db, "runs") == 0


async def test_numbers_come_back_as_they_were_written(client, db, job):
    """T95."""
    body = b'{"payload":{"id":9007199254740993,"price":1.10}}'

    run = (await client.post("/v1/jobs/resize/trigger", content=body)).json()

    stored = await db.raw.fetchval(
        "select payload::text from run_payloads where run_id = $1", run["id"]
    )
    assert stored == '{"id":9007199254740993,"price":1.10}'
    assert (
        b'"payload":{"id":9007199254740993,"price":1.10}'
        in (await client.get(f"/v1/runs/{run['id']}")).content
    )


async def test_nul_characters_are_taken_out_everywhere(trigger, client):
    answer = await trigger(
        payload={"a": "x\0y"}, tags={"t": "a\0b"}, metadata={"m": "\0"}, idempotency_key="k\0"
    )

    run = (await client.get(f"/v1/runs/{answer.json()['id']}")).json()
    assert (run["payload"], run["tags"], run["metadata"]) == ({"a": "xy"}, {"t": "ab"}, {"m": ""})
    assert run["idempotency_key"] == "k"


@pytest.mark.parametrize("size", [5 * 1024 * 1024 + 1, 6 * 1024 * 1024 + 1])
async def test_what_is_too_large_is_refused(trigger, size):
    answer = await trigger(payload="x" * size)

    assert told(answer)[:2] == (413, "payload_too_large")


async def test_a_full_quota_says_when_to_come_back(db, api, trigger):
    await world.a_quota(db, max_queued_runs=1)
    await trigger()

    answer = await trigger()

    assert told(answer) == (429, "rate_limited", "project queued quota exceeded")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


async def test_the_job_of_another_project_is_not_found(db, door, job):
    """T73."""
    foreign = await door((await world.a_key(db, project_id="proj_2")).key)

    for reference in (job.id, "resize"):
        for path in ("trigger", "trigger/bulk", "trigger-bulk"):
            answer = await foreign.post(f"/v1/jobs/{reference}/{path}", json={"items": [{}]})

            assert told(answer) == (404, "not_found", "job not found")


async def test_a_hit_needs_the_permission_of_a_trigger(db, door, trigger):
    """T118b."""
    await trigger(idempotency_key="k")
    reader = await door((await world.a_key(db, "jobs:read", "runs:write")).key)

    answer = await reader.post("/v1/jobs/resize/trigger", json={"idempotency_key": "k"})

    assert told(answer) == (403, "forbidden", "insufficient permissions: requires jobs:trigger")


async def test_a_token_is_for_those_who_may_write_runs(db, door, job):
    """Behaviour 13.4."""
    only = await door((await world.a_key(db, "jobs:trigger")).key)
    both = await door((await world.a_key(db, "jobs:trigger", "runs:write")).key)

    assert "run_token" not in (await only.post("/v1/jobs/resize/trigger")).json()
    token = (await both.post("/v1/jobs/resize/trigger")).json()["run_token"]
    assert TOKENS.verify(token, now=clock.unix())


async def test_a_run_token_triggers_nothing(db, door, trigger):
    """T107."""
    run = (await trigger()).json()
    stranger = await door(run["run_token"])

    answer = await stranger.post("/v1/jobs/resize/trigger")

    assert told(answer) == (401, "unauthorized", "invalid bearer token")


async def test_our_own_service_names_a_job_by_its_id_or_its_project(db, door, job):
    """Api 2.3."""
    ours = await door(internal=True)
    within = await door(internal=True, X_Project_Id=world.PROJECT)
    elsewhere = await door(internal=True, X_Project_Id="proj_2")

    assert (await ours.post(f"/v1/jobs/{job.id}/trigger")).status_code == 201
    assert (await within.post("/v1/jobs/resize/trigger")).status_code == 201
    assert (await ours.post("/v1/jobs/resize/trigger")).status_code == 404
    assert (await elsewhere.post(f"/v1/jobs/{job.id}/trigger")).status_code == 404


async def test_a_job_that_is_not_there_is_not_found(client):
    for reference in ("nope", ids.new_id()):
        answer = await client.post(f"/v1/jobs/{reference}/trigger", json={"priority": 11})

        assert told(answer) == (404, "not_found", "job not found")


async def test_the_callers_trace_is_kept(trigger, client):
    headers = {"Traceparent": "00-1-2-01", "Tracestate": "v=1"}

    run = (await trigger(headers=headers, metadata={"m": "x"})).json()

    kept = (await client.get(f"/v1/runs/{run['id']}")).json()["metadata"]
    assert kept["m"] == "x"
    assert kept["_trace_parent"] == "00-1-2-01"


@pytest.mark.parametrize("path", ["trigger", "trigger/bulk"])
async def test_a_number_that_no_list_could_compare_is_refused(client, job, path):
    """One such payload would break `payload_contains` for the whole project."""
    one = b'{"payload":{"n":1e999999}}'
    body = one if path == "trigger" else b'{"items":[%s]}' % one

    answer = await client.post(f"/v1/jobs/resize/{path}", content=body)
    listed = await client.get("/v1/runs", params={"payload_contains": '{"n":1}'})

    assert answer.status_code == 400
    assert "payload: a number is out of range" in answer.json()["message"]
    assert listed.status_code == 200


async def test_metadata_has_short_values(trigger):
    """A page of runs shows it all."""
    fits = await trigger(metadata={"m": "x" * 1024})
    too_long = await trigger(metadata={"m": "x" * 1025})

    assert fits.status_code == 201
    assert too_long.status_code == 400
    assert too_long.json()["details"] == ["metadata[...]: failed on 'max=1024'"]
