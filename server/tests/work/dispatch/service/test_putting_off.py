"""Runs that may not be sent now (behaviour 3.1 #5, #6; 1.4 #8; 14.1, 14.3)."""

import asyncio
from functools import partial

import crew
import msgspec
import pytest
import world
from endpoint import answer, when

from strait_server.work.queue.model import Status

BOOM = answer(500, b"boom")


async def with_open_circuit(db, hire, endpoint, *, settings=(), **columns):
    """A job whose endpoint has just failed five times in a row."""
    endpoint.on("/work", *([BOOM] * 5), answer())
    hired = await hire(**dict(settings))
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=1, **columns)
    for _ in range(5):
        [run] = await world.queued(db, job, 1)
        await crew.ended(db, run.id)

    async def opened():
        return await db.raw.fetchval("select state from endpoint_circuits") == "open"

    await crew.eventually(opened)
    return hired, job


async def let_the_minute_pass(db, hired):
    await db.raw.execute("update endpoint_circuits set open_until = now() - interval '1 second'")
    hired.crew.endpoints.changed()


async def notes(db, run):
    return msgspec.json.decode((await crew.the_run(db, run.id))["metadata"])


async def test_after_five_failures_a_run_waits_for_the_circuit(db, hire, endpoint):
    _, job = await with_open_circuit(db, hire, endpoint)

    [run] = await world.queued(db, job, 1)
    seconds = await crew.waits(db, run.id, "snooze")

    row = await crew.the_run(db, run.id)
    assert seconds == pytest.approx(60, abs=2)
    assert (row["status"], row["attempt"], row["started_at"]) == ("queued", 1, None)
    assert (row["error"], row["error_class"]) == ("endpoint circuit is open", "transient")
    assert await notes(db, run) == {"snooze_count": 1}
    assert await crew.moves(db, run.id) == ["queued", "dequeued", "queued"]
    assert len(endpoint.requests) == 5


async def test_only_failures_of_the_endpoint_open_its_circuit(db, hire, endpoint):
    endpoint.on("/work", answer(400))
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=1)
    for _ in range(7):
        [run] = await world.queued(db, job, 1)
        await crew.ended(db, run.id)

    assert len(endpoint.requests) == 7


async def test_a_half_open_circuit_lets_one_run_through_and_its_success_all(db, hire, endpoint):
    hired, job = await with_open_circuit(db, hire, endpoint)
    answered = asyncio.Event()
    endpoint.on("/work", when(answered), answer())
    runs = await world.queued(db, job, 6)
    for run in runs:
        await crew.waits(db, run.id, "snooze")

    await let_the_minute_pass(db, hired)
    await crew.make_due(db)
    await endpoint.heard(6)

    async def others_wait():
        counts = await db.raw.fetch(
            "select metadata ->> 'snooze_count' from runs where status = 'queued'"
        )
        return [row[0] for row in counts] == ["2"] * 5

    await crew.eventually(others_wait)
    assert len(endpoint.requests) == 6
    longest = await db.raw.fetchval(
        "select max(extract(epoch from due_at - queued_at)) from scheduled join runs on id = run_id"
    )
    assert longest <= 2.5  # seconds, not the five minutes that the probe may take
    answered.set()
    await crew.stands_any(db, Status.COMPLETED)
    await crew.make_due(db)
    assert (await crew.all_final(db))[Status.COMPLETED] == 6


async def test_a_probe_that_is_refused_hands_on_to_the_next(db, hire, endpoint):
    hired, job = await with_open_circuit(db, hire, endpoint, timeout_secs=86_400)
    endpoint.on("/work", answer(400), answer())
    await let_the_minute_pass(db, hired)
    [refused] = await world.queued(db, job, 1)
    await crew.ended(db, refused.id)

    async def free_to_probe():
        return await db.raw.fetchval("select probe_until <= now() from endpoint_circuits")

    await crew.eventually(free_to_probe)
    [run] = await world.queued(db, job, 1)

    assert await crew.ended(db, run.id) == {run.id: Status.COMPLETED}


async def test_a_run_put_off_too_often_is_failed(db, hire, endpoint):
    _, job = await with_open_circuit(db, hire, endpoint, settings={"max_snooze_count": 2})

    [run] = await world.queued(db, job, 1)
    for count in (1, 2):
        await crew.eventually(partial(snoozed, db, run, count))
        await crew.make_due(db)
    await crew.ended(db, run.id)

    row = await crew.the_run(db, run.id)
    assert row["status"] == Status.SYSTEM_FAILED
    assert row["error"] == "max snooze count (2) exceeded: endpoint circuit is open"


async def snoozed(db, run, count):
    row = await db.raw.fetchrow(
        "select metadata ->> 'snooze_count' as snoozes from runs join scheduled on run_id = id "
        "where id = $1",
        run.id,
    )
    return row is not None and row["snoozes"] == str(count)


@pytest.mark.parametrize("slowly", [True, False], ids=["start was seen", "start was merged"])
async def test_reaching_the_endpoint_starts_the_count_anew(db, hire, endpoint, slowly):
    hired, job = await with_open_circuit(db, hire, endpoint)
    answered = asyncio.Event()
    endpoint.on("/work", when(answered, BOOM) if slowly else BOOM)
    await world.change_job(db, job, max_attempts=2)
    [run] = await world.queued(db, job, 1)
    await crew.waits(db, run.id, "snooze")

    await let_the_minute_pass(db, hired)
    await crew.make_due(db)
    if slowly:
        await crew.stands(db, run.id, Status.EXECUTING)
        answered.set()
    await crew.waits(db, run.id, "retry")

    assert (await notes(db, run)).get("snooze_count", 0) == 0


async def test_the_bulkhead_puts_off_what_a_worker_has_no_place_for(db, hire, endpoint):
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    await hire(default_job_max_concurrency=2)
    job = await world.a_job(db, endpoint_url=endpoint.url())

    await world.queued(db, job, 5)
    await endpoint.heard(2)

    async def others_wait():
        return await world.count(db, "scheduled") == 3

    await crew.eventually(others_wait)
    told = await db.raw.fetch("select distinct error from runs join scheduled on run_id = id")
    assert [row["error"] for row in told] == ["job bulkhead at capacity"]
    assert len(endpoint.requests) == 2
    answered.set()
    await crew.stands_any(db, Status.COMPLETED)


async def test_the_bulkhead_is_empty_after_any_mix(db, hire, endpoint):
    """T35: successes, failures, timeouts, panics, cancels, refusals at the door."""

    async def break_off(peer, request):
        raise ConnectionResetError

    endpoint.on("/work", answer(), BOOM, answer(400), break_off, answer(body=b"x" * (2 << 20)))
    hired = await hire(default_job_max_concurrency=3)
    jobs = [
        await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=1, max_concurrency=limit)
        for limit in (0, 1, 10)
    ]
    runs = [run for job in jobs for run in await world.queued(db, job, 12)]
    await world.cancel(db, runs[3].id)
    await world.cancel(db, runs[20].id)

    async def settled():
        await crew.make_due(db)
        return not await db.raw.fetchval("select count(*) from runs where finished_at is null")

    await crew.eventually(settled)

    assert hired.worker._dispatcher._under_way == {}
    assert hired.worker.in_flight == 0
