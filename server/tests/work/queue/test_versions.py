"""Moves of runs are heap-only updates (design 5.2), which cost no index entries."""

import world

from strait_server.work.dispatch.model import Completed
from strait_server.work.dispatch.service import verdicts
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import ExecutionTrace

_UPDATES = """
    select sum(n_tup_upd)::int as updates, sum(n_tup_hot_upd)::int as heap_only
    from pg_stat_user_tables
    where relname like 'runs\\_2%'
"""


async def test_a_page_has_room_for_all_its_runs_to_be_claimed_and_finished_together(database):
    async with database.connection() as db:
        job = await world.a_job(db)
        await world.queued(db, job, 250)

        claimed = await world.claim(db, 250)
        trace = ExecutionTrace(queue_wait_ms=1234, dispatch_ms=1234, total_ms=1234)
        ended = [
            verdicts.record(
                run, Definition(job), Completed(b'{"ok":true}'), age_micros=1000, trace=trace
            )
            for run in claimed
        ]
        await queue.finish(db, ended, ended_lease_ids=[claimed[0].lease_id])

        await db.raw.execute("select pg_stat_force_next_flush()")
        row = await db.raw.fetchrow(_UPDATES)
        assert row["updates"] == 500
        assert row["heap_only"] >= 450
