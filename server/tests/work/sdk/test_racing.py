"""Two who write to one run at the same moment (behaviour D7; trap T4)."""

import asyncio

import pytest
import world

from strait_server.work.queue import service as queue
from strait_server.work.queue.model import Conclusion, Status
from strait_server.work.sdk.model import Stale
from strait_server.work.sdk.service import Speaker


async def test_a_row_that_is_being_written_is_waited_for_and_its_neighbours_are_not(database):
    """A batch locks what it can have, so it deadlocks with nobody; the rest follows alone."""
    async with database.connection() as db, database.connection() as other:
        busy, free = [await world.a_run(db, status=Status.EXECUTING) for _ in range(2)]
        writing = other.raw.transaction()
        await writing.start()
        await other.raw.execute("update runs set updated_at = now() where id = $1", busy.id)
        both = [Conclusion(id=run.id, attempt=1, status=Status.COMPLETED) for run in (busy, free)]

        concluding = asyncio.create_task(queue.conclude(db, both))
        await _until(lambda: _is(other, free, Status.COMPLETED))
        assert not concluding.done()
        await writing.commit()

        assert await asyncio.wait_for(concluding, 5) == {busy.id, free.id}


async def test_whoever_comes_second_at_a_row_changes_nothing(database):
    """D7: a cancel and a completion of the same run, at the same moment."""
    async with database.connection() as db, database.connection() as other:
        run = await world.a_run(db, status=Status.EXECUTING)
        canceling = other.raw.transaction()
        await canceling.start()
        await world.cancel(other, run.id)

        concluding = asyncio.create_task(
            queue.conclude(db, [Conclusion(id=run.id, attempt=1, status=Status.COMPLETED)])
        )
        await _until(lambda: _is_somebody_waiting(other))
        await canceling.commit()

        assert await asyncio.wait_for(concluding, 5) == set()
        assert await world.status(other, run.id) is Status.CANCELED


async def test_a_failure_that_may_pass_does_not_end_the_attempt_after_its_own(reports, database):
    """T4: the token names no attempt, and while we write somebody else begins the next one."""
    async with database.connection() as db, database.connection() as other:
        run = await world.a_run(db, status=Status.EXECUTING)
        beginning = db.raw.transaction()
        await beginning.start()
        await db.raw.execute("update runs set attempt = 2 where id = $1", run.id)

        failing = asyncio.create_task(reports.fail(Speaker(run.id, None), "busy", retryable=True))
        await _until(lambda: _is_somebody_waiting(other))
        await beginning.commit()

        with pytest.raises(Stale):
            await asyncio.wait_for(failing, 5)
        assert await world.status(db, run.id) is Status.EXECUTING


async def _is(db, run, status):
    return await world.status(db, run.id) is status


async def _is_somebody_waiting(db):
    return await db.raw.fetchval(
        "select count(*) > 0 from pg_stat_activity "
        "where datname = current_database() and wait_event_type = 'Lock'"
    )


async def _until(holds):
    async with asyncio.timeout(5):
        while not await holds():
            await asyncio.sleep(0.01)
