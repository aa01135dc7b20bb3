"""Writing down what happens to runs, in batches (behaviour 1.3, 1.4; design 5.4; T4, T23q)."""

import asyncio
from contextlib import asynccontextmanager

import crew
import pytest
import world

from strait_server.base.clock import monotonic
from strait_server.base.db.database import PINNED_PLANS, Line
from strait_server.base.telemetry.metrics import Metrics
from strait_server.work.dispatch.model import Completed, RetryAt
from strait_server.work.dispatch.service import verdicts
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue.model import ErrorClass, ExecutionTrace, Status
from strait_server.work.queue.store.outcomes import SQL
from strait_server.work.workers.service.recorder import Recorder

RETRY = RetryAt(delay_seconds=60.0, error="boom", error_class=ErrorClass.SERVER)


@pytest.fixture
async def recorder(database):
    lines = Line(database, PINNED_PLANS), Line(database, PINNED_PLANS)
    recorder = Recorder(*lines, Metrics(), worth=world.WORTH)
    writing = asyncio.create_task(recorder.run())
    yield recorder
    writing.cancel()
    await asyncio.wait([writing])
    for line in lines:
        await line.close()


async def in_hand(db, recorder, count, **columns):
    """Runs that were just claimed, in the order of their ids, and their job."""
    job = await world.a_job(db, **columns)
    await world.queued(db, job, count)
    claimed = sorted(await world.claim(db, 250), key=lambda run: run.id.int)
    recorder.leased(claimed)
    return claimed, Definition(job)


def completed(run, definition):
    return verdicts.record(
        run, definition, Completed(b"1"), age_micros=1000, trace=ExecutionTrace(total_ms=1)
    )


def failed(run, definition):
    return verdicts.record(run, definition, RETRY, age_micros=1000)


@asynccontextmanager
async def held(database, run):
    """Somebody else has the run's row locked meanwhile."""
    raw = await database.dedicated()
    async with raw.transaction():
        await raw.execute("select from runs where id = $1 for update", run.id)
        yield
    await raw.close()


async def waiting(db):
    return await db.raw.fetchval(
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and wait_event_type = 'Lock'"
    )


async def recorded(recorder, *reports):
    """The reports are made at once, and written."""
    for report in reports:
        recorder.report(report)
    await recorder.drain()


async def test_an_outcome_that_comes_too_late_changes_nothing(db, recorder):
    [run], definition = await in_hand(db, recorder, 1)

    await recorded(recorder, completed(run, definition))
    await recorded(recorder, failed(run, definition))

    assert await world.statuses(db) == {Status.COMPLETED: 1}
    assert await crew.moves(db, run.id) == ["queued", "dequeued", "executing", "completed"]


async def test_the_first_report_finds_its_line_open_and_its_plan_made(db, recorder):
    async with asyncio.timeout(10):
        while await lines_that_wrote(db) < {"start", "finish"}:
            await asyncio.sleep(0.01)

    assert not recorder.leases


async def lines_that_wrote(db):
    """Which statements idle connections ran last. PostgreSQL tells the beginning of each."""
    last = await db.raw.fetch(
        "select query from pg_stat_activity "
        "where datname = current_database() and state = 'idle' and query <> ''"
    )
    return {
        name
        for name in ("start", "finish")
        if any(SQL[name].text.startswith(query) for (query,) in last)
    }


async def test_outcomes_of_all_kinds_are_written_together(db, recorder):
    claimed, definition = await in_hand(db, recorder, 30)

    reports = [
        (completed, failed, verdicts.put_back)[n % 3](run, definition)
        for n, run in enumerate(claimed)
    ]
    await recorded(recorder, *reports)

    assert await world.statuses(db) == {Status.COMPLETED: 10, Status.QUEUED: 20}
    assert await world.count(db, "scheduled") == 10
    assert await world.count(db, "queue") == 10
    assert await world.count(db, "leases") == 0
    assert not recorder.leases


async def test_a_lease_ends_with_the_last_of_its_runs(db, recorder):
    claimed, definition = await in_hand(db, recorder, 3)
    lease_id = claimed[0].lease_id

    for run in claimed[:2]:
        await recorded(recorder, completed(run, definition))
    assert (await world.count(db, "leases"), list(recorder.leases)) == (1, [lease_id])
    await recorded(recorder, completed(claimed[2], definition))

    assert (await world.count(db, "leases"), list(recorder.leases)) == (0, [])


async def test_a_lease_is_kept_in_mind_until_its_end_is_committed(db, database, recorder):
    """Else its runs were taken for strays while their outcome is being written."""
    [run], definition = await in_hand(db, recorder, 1)

    async with held(database, run):
        recorder.report(completed(run, definition))
        await crew.eventually(lambda: waiting(db))
        assert list(recorder.leases) == [run.lease_id]

    await recorder.drain()
    assert not recorder.leases
    assert await world.statuses(db) == {Status.COMPLETED: 1}


async def test_starts_and_outcomes_of_the_same_runs_do_not_lock_each_other_out(
    db, database, recorder
):
    """Whichever order they come in, both lines write in the order of the ids."""
    (first, second), definition = await in_hand(db, recorder, 2)

    async with held(database, first):
        for run in (first, second):
            recorder.start(run, monotonic())
        await crew.eventually(lambda: _so_many(db, 1))
        for run in (second, first):
            recorder.report(completed(run, definition))
        await crew.eventually(lambda: _so_many(db, 2))

    await recorder.drain()
    assert await crew.moves(db, first.id) == ["queued", "dequeued", "executing", "completed"]
    await db.raw.execute("select pg_stat_force_next_flush()")
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    assert await db.raw.fetchval(deadlocks) == 0


async def _so_many(db, count):
    return await waiting(db) == count


async def test_outcomes_of_abandoned_leases_change_nothing_of_the_new_ones(db, recorder):
    [run], definition = await in_hand(db, recorder, 1)
    recorder.abandon()
    assert recorder.has_abandoned(run)
    [other], _ = await in_hand(db, recorder, 1)

    await recorded(recorder, completed(run, definition))

    assert list(recorder.leases) == [other.lease_id]
    assert await world.count(db, "leases") == 2  # whoever took the runs drops it


async def test_an_outcome_the_database_refuses_is_its_own_affair(db, recorder):
    claimed, definition = await in_hand(db, recorder, 5)
    await db.raw.execute("alter table runs add check (length(result::text) < 100)")
    outcomes = [completed(run, definition) for run in claimed]
    bad = verdicts.record(claimed[2], definition, Completed(b"1" * 200), age_micros=1)

    await recorded(recorder, *outcomes[:2], bad, *outcomes[3:])

    assert await world.statuses(db) == {Status.COMPLETED: 4, Status.SYSTEM_FAILED: 1}
    refused = await crew.the_run(db, bad.id)
    assert refused["error"] == "the outcome cannot be recorded"
    assert not recorder.leases


async def test_a_run_of_which_nothing_can_be_recorded_keeps_its_lease(db, recorder):
    """Whoever recovers it finds it by that."""
    claimed, definition = await in_hand(db, recorder, 2)
    await db.raw.execute("alter table runs add check (error is null)")

    await recorded(recorder, failed(claimed[0], definition), completed(claimed[1], definition))

    assert await world.statuses(db) == {Status.COMPLETED: 1, Status.DEQUEUED: 1}
    assert list(recorder.leases) == [claimed[0].lease_id]
    assert await world.count(db, "leases") == 1
