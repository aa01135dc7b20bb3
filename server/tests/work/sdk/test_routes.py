"""Job code's reports through the door (api 2.6, 9.26, 16.6; behaviour 5.1, 13.4; trap T107)."""

import json

import pytest
import world

from strait_server.work.queue.model import FINAL, Status

WRITES = [
    ("log", {"message": "m"}),
    ("progress", {"percent": 1}),
    ("heartbeat", None),
    ("complete", {}),
    ("fail", {"error": "e"}),
]


async def test_the_payload_is_answered_as_it_is(sdk, db):
    run = await world.a_run(db, status=Status.EXECUTING, payload=b'{"n":9007199254740993}')

    answer = await sdk(run, "GET", "payload")

    assert (answer.status_code, answer.content) == (200, b'{"n":9007199254740993}')
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [Status.QUEUED, *sorted(FINAL)])
async def test_the_payload_can_be_read_as_long_as_the_token_lives(sdk, db, token, status):
    run = await world.a_run(db, status=status)

    assert (await sdk(run, "GET", "payload")).status_code == 200
    assert (await sdk(run, "GET", "payload", shown=token(run, lives=-1))).status_code == 401


async def test_a_log_line_becomes_an_event(sdk, db):
    run = await world.a_run(db, status=Status.EXECUTING)

    answer = await sdk(
        run, "POST", "log", json={"message": "working", "level": "critical", "data": {"n": 1}}
    )

    assert answer.status_code == 201
    event = answer.json()
    assert set(event) == {"id", "run_id", "type", "level", "message", "data", "created_at"}
    assert (event["type"], event["level"], event["message"]) == ("log", "critical", "working")
    assert event["data"] == {"n": 1}
    assert await world.events(db, run.id) == ["log: working"]


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ({"percent": 40}, b'{"percent":40}'),
        ({"percent": 12.5, "step": "resize"}, b'{"percent":12.5,"step":"resize"}'),
        ({"percent": 0, "eta_seconds": 30}, b'{"percent":0,"eta_seconds":30}'),
    ],
)
async def test_progress_becomes_an_event(sdk, db, body, data):
    run = await world.a_run(db, status=Status.EXECUTING)

    answer = await sdk(run, "POST", "progress", json=body)

    assert answer.status_code == 201
    assert (answer.json()["type"], answer.json()["level"]) == ("progress", "info")
    assert answer.json()["message"] == ""
    assert answer.json()["data"] == json.loads(data)


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("log", {}, "message: failed on 'required'"),
        ("log", {"message": ""}, "message: failed on 'min=1'"),
        ("log", {"message": "x" * 16_385}, "message: failed on 'max=16384'"),
        ("progress", {}, "percent: failed on 'required'"),
        ("progress", {"percent": 101}, "percent: failed on 'max=100'"),
        ("progress", {"percent": -1}, "percent: failed on 'min=0'"),
        ("fail", {}, "error: failed on 'required'"),
    ],
)
async def test_a_report_that_makes_no_sense_is_refused(sdk, db, path, body, detail):
    run = await world.a_run(db, status=Status.EXECUTING)

    answer = await sdk(run, "POST", path, json=body)

    assert answer.status_code == 400
    assert answer.json()["details"] == [detail]


async def test_moves_are_told_by_nobody_but_us(sdk, db):
    run = await world.a_run(db, status=Status.EXECUTING)

    assert (
        await sdk(run, "POST", "log", json={"message": "m", "type": "state_change"})
    ).status_code == 400
    assert (
        await sdk(run, "POST", "log", json={"message": "m", "data": "x" * 65_536})
    ).status_code == 400


async def test_a_heartbeat_needs_no_body(sdk, db):
    run = await world.a_run(db, status=Status.EXECUTING)

    answer = await sdk(run, "POST", "heartbeat")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert (await world.the_run(db, run.id)).heartbeat_at


async def test_completing_needs_no_body(sdk, db):
    run = await world.a_run(db, status=Status.EXECUTING)

    answer = await sdk(run, "POST", "complete")

    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["status"]) == (str(run.id), "completed")
    assert "result" not in answer.json()


async def test_failing_answers_the_failed_run(sdk, db):
    run = await world.a_run(db, status=Status.EXECUTING)

    answer = await sdk(run, "POST", "fail", json={"error": "no such image"})

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["error"]) == ("failed", "no such image")


@pytest.mark.parametrize("status", sorted(FINAL))
@pytest.mark.parametrize(("path", "body"), WRITES, ids=lambda part: part or "")
async def test_a_finished_run_cannot_be_written_to(sdk, db, status, path, body):
    """T107. The answer says how it ended, so that its code can stop."""
    run = await world.a_run(db, status=status)
    if status is Status.COMPLETED and path == "complete":
        body = {"result": "another"}

    answer = await sdk(run, "POST", path, json=body)

    assert answer.status_code == 409
    assert answer.json()["message"] == "run already in terminal state"
    assert (answer.json()["code"], answer.json()["status"]) == ("conflict", status)
    assert await world.status(db, run.id) is status


@pytest.mark.parametrize(("path", "body"), WRITES, ids=lambda part: part or "")
async def test_a_run_that_is_not_under_way_cannot_be_written_to(sdk, db, path, body):
    run = await world.a_run(db)

    answer = await sdk(run, "POST", path, json=body)

    assert answer.status_code == 409
    assert answer.json()["message"] in {
        "run status conflict",
        "run must be executing or waiting",
    }


@pytest.mark.parametrize(("path", "body"), WRITES, ids=lambda part: part or "")
async def test_the_token_of_another_attempt_is_stale(sdk, db, token, path, body):
    """T4, T107."""
    run = await world.a_run(db, status=Status.EXECUTING)
    await db.raw.execute("update runs set attempt = 2 where id = $1", run.id)

    answer = await sdk(run, "POST", path, json=body, shown=token(run, attempt=1))

    assert answer.status_code == 401
    assert answer.json()["message"] == "run token is stale: the run is at attempt 2"
    assert await world.status(db, run.id) is Status.EXECUTING


async def test_a_token_without_an_attempt_speaks_for_the_current_one(sdk, db, token):
    run = await world.a_run(db, status=Status.EXECUTING)
    await db.raw.execute("update runs set attempt = 2 where id = $1", run.id)

    answer = await sdk(run, "POST", "complete", shown=token(run, attempt=None))

    assert answer.status_code == 200


@pytest.mark.parametrize(("path", "body"), [*WRITES, ("payload", None)])
async def test_a_token_speaks_for_its_own_run_only(sdk, db, token, path, body):
    one, other = [await world.a_run(db) for _ in range(2)]
    method = "GET" if path == "payload" else "POST"

    answer = await sdk(one, method, path, json=body, shown=token(other))

    assert answer.status_code == 403
    assert answer.json()["message"] == "token does not match run ID"


async def test_a_run_that_is_gone_is_not_found(sdk, db):
    run = await world.a_run(db)
    await db.raw.execute("delete from runs")
    await db.raw.execute("delete from run_payloads")

    for method, path in (("GET", "payload"), ("POST", "heartbeat"), ("POST", "complete")):
        answer = await sdk(run, method, path)
        assert (answer.status_code, answer.json()["message"]) == (404, "run not found")


@pytest.mark.parametrize(
    ("version", "accepted", "capabilities"),
    [
        (None, "legacy", "none"),
        ("1.4", "1.4", "none"),
        ("2.0.1", "2.0.1", "progress,checkpoint,usage"),
    ],
)
async def test_the_answer_says_what_the_caller_may_use(sdk, db, version, accepted, capabilities):
    run = await world.a_run(db, status=Status.EXECUTING)

    answer = await sdk(
        run, "POST", "heartbeat", headers={"X-SDK-Version": version} if version else {}
    )

    assert answer.headers["x-sdk-version-accepted"] == accepted
    assert answer.headers["x-sdk-capabilities"] == capabilities


async def test_a_result_may_be_as_large_as_the_setting_says(api, db, door, token):
    """Through the whole door, which lets no body in that is larger than a request may be."""
    largest = api.services.settings.max_result_size
    run = await world.a_run(db, status=Status.EXECUTING)
    client = await door()

    async def complete(size):
        return await client.post(
            f"/sdk/v1/runs/{run.id}/complete",
            json={"result": "x" * (size - 2)},  # and two quotes
            headers={"Authorization": f"Bearer {token(run)}"},
        )

    too_large = await complete(largest + 1)
    assert (too_large.status_code, too_large.json()["message"]) == (
        413,
        f"result exceeds {largest} bytes",
    )
    assert (await complete(largest)).status_code == 200
    assert len(bytes((await world.the_run(db, run.id)).result)) == largest
