"""Moving a waiting run in time (api 9.9; behaviour 2.9, 2.11, 2.16)."""

from datetime import datetime, timedelta

import pytest
import world

from strait_server.work.queue.model import Status

FIVE_MEBIBYTES = 5 * 1024 * 1024


async def moved(client, run, at, **body):
    return await client.post(
        f"/v1/runs/{run.id}/reschedule", json={"scheduled_at": at.isoformat(), **body}
    )


async def places(db, run):
    rows = await db.raw.fetch(
        "select 'queue' from queue where run_id = $1 "
        "union all select 'scheduled' from scheduled where run_id = $1 "
        "union all select 'blocked' from blocked where run_id = $1",
        run.id,
    )
    return [row[0] for row in rows]


async def test_a_queued_run_can_be_put_off(client, db):
    run = await world.a_run(db)
    at = await world.in_a_while(db)

    answer = await moved(client, run, at)

    assert answer.status_code == 200
    assert answer.json()["status"] == "delayed"
    assert datetime.fromisoformat(answer.json()["scheduled_at"]) == at
    assert await places(db, run) == ["scheduled"]
    assert await world.claim(db, 10) == []


async def test_a_delayed_run_can_be_brought_forward(client, db):
    run = await world.a_run(db, status=Status.DELAYED)
    now = await world.in_a_while(db, 0)

    answer = await moved(client, run, now)

    assert answer.json()["status"] == "queued"
    assert await places(db, run) == ["queue"]
    assert [one.id for one in await world.claim(db, 10)] == [run.id]


async def test_its_time_to_live_moves_with_it(client, db):
    run = await world.a_run(db)
    at = await world.in_a_while(db)

    later = (await moved(client, run, at)).json()
    sooner = (await moved(client, run, await world.in_a_while(db, 0))).json()

    for shown, start in ((later, at), (sooner, run.created_at)):
        lives = datetime.fromisoformat(shown["expires_at"]) - start
        assert abs(lives - timedelta(seconds=world.TTL)) < timedelta(seconds=1)


async def test_its_payload_can_be_changed_on_the_way(client, db):
    job = await world.a_job(db, payload_schema=b'{"type":"object"}')
    run = await world.a_run(db, job=job, payload=b'{"n":1}')
    at = await world.in_a_while(db)

    assert (await moved(client, run, at)).json()["payload"] == {"n": 1}
    assert (await moved(client, run, at, payload={"n": 2})).json()["payload"] == {"n": 2}
    refused = await moved(client, run, at, payload=[3])
    assert refused.status_code == 400
    assert bytes((await world.the_run(db, run.id)).payload) == b'{"n":2}'


@pytest.mark.parametrize("path", ["reschedule", "reschedule/"])
async def test_its_payload_may_have_five_mebibytes_as_in_a_trigger(db, door, path):
    client = await door((await world.a_key(db)).key)
    run = await world.a_run(db)
    at = (await world.in_a_while(db)).isoformat()

    async def with_payload(size):
        body = {"scheduled_at": at, "payload": "x" * (size - 2)}  # and two quotes
        return await client.post(f"/v1/runs/{run.id}/{path}", json=body)

    largest = await with_payload(FIVE_MEBIBYTES)
    too_large = await with_payload(FIVE_MEBIBYTES + 1)

    assert largest.status_code == 200
    assert len(largest.json()["payload"]) == FIVE_MEBIBYTES - 2
    assert too_large.status_code == 413
    assert too_large.json()["message"] == f"payload exceeds {FIVE_MEBIBYTES} bytes"
    assert len(bytes((await world.the_run(db, run.id)).payload)) == FIVE_MEBIBYTES


async def test_a_run_that_is_put_off_gives_its_place_to_the_next(client, db):
    job = await world.a_job(db, max_concurrency=1)
    first, second = await world.queued(db, job, 2)

    await moved(client, first, await world.in_a_while(db))

    assert [one.id for one in await world.claim(db, 10)] == [second.id]


async def test_a_run_that_is_brought_forward_passes_its_gate(client, db):
    job = await world.a_job(db, max_concurrency=1)
    [holder] = await world.queued(db, job, 1)
    run = await world.a_run(db, job=job, status=Status.DELAYED)

    await moved(client, run, await world.in_a_while(db, 0))

    assert await places(db, run) == ["blocked"]
    assert [one.id for one in await world.claim(db, 10)] == [holder.id]


async def test_a_run_at_a_gate_can_be_put_off(client, db):
    job = await world.a_job(db, max_concurrency=1)
    _, waiting = await world.queued(db, job, 2)

    await moved(client, waiting, await world.in_a_while(db))

    assert await places(db, waiting) == ["scheduled"]


async def test_it_waits_for_its_jobs_window(client, db):
    job = await world.a_job(db, execution_window_cron="* * 29 2 *")
    run = await world.a_run(db, job=job)

    answer = await moved(client, run, await world.in_a_while(db))

    at = datetime.fromisoformat(answer.json()["scheduled_at"])
    assert (at.month, at.day) == (2, 29)


@pytest.mark.parametrize("status", [Status.DEQUEUED, Status.EXECUTING, Status.COMPLETED])
async def test_a_run_that_does_not_wait_cannot_be_moved(client, db, status):
    run = await world.a_run(db, status=status)

    answer = await moved(client, run, await world.in_a_while(db))

    assert answer.status_code == 409
    assert answer.json()["message"] == "run not found or not eligible for rescheduling"
    assert await world.status(db, run.id) is status


async def test_a_canceled_run_whose_entry_is_still_queued_cannot_be_moved(client, db):
    run = await world.a_run(db, status=Status.CANCELED)

    answer = await moved(client, run, await world.in_a_while(db))

    assert answer.status_code == 409
    assert await places(db, run) == []


@pytest.mark.parametrize(
    ("seconds", "message"),
    [
        (-60, "scheduled_at must not be in the past"),
        (31 * 86_400, "scheduled_at cannot exceed 30 days from now"),
    ],
)
async def test_the_bounds_are_those_of_a_trigger(client, db, seconds, message):
    run = await world.a_run(db)

    answer = await moved(client, run, await world.in_a_while(db, seconds))

    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_a_time_is_needed(client, db):
    run = await world.a_run(db)

    answer = await client.post(f"/v1/runs/{run.id}/reschedule")

    assert answer.json()["details"] == ["scheduled_at: failed on 'required'"]


async def test_the_story_tells_of_it(client, db):
    run = await world.a_run(db)
    await moved(client, run, await world.in_a_while(db))
    await moved(client, run, await world.in_a_while(db, 0))

    story = (await client.get(f"/v1/runs/{run.id}/events")).json()["data"]

    assert [event["message"] for event in story] == [
        "created as queued", "queued -> delayed", "delayed -> queued",
    ]  # fmt: skip
