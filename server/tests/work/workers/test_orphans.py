"""Workers that are declared dead while they live (behaviour 8.4 #1, #2; D2)."""

import time
from datetime import timedelta

import crew
import world
from endpoint import answer

from strait_server.base import ids
from strait_server.base.db.connection import Connection
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import Appetite, Status


async def claimed_for_nobody(db, endpoint, *, ago=timedelta(minutes=1)):
    """A run that somebody claimed after being removed; the worker's id."""
    endpoint.on("/work", answer())
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.queued(db, job, 1)
    removed = ids.new_id()
    await queue.claim(db, removed, Appetite(size=5), floors=[0] * 11, worth=world.WORTH)
    await db.raw.execute("update leases set claimed_at = now() - $1::interval", ago)
    return removed


async def test_what_a_removed_worker_claimed_is_rescued(db, mortal, endpoint):
    await claimed_for_nobody(db, endpoint)
    worker = await mortal(loops=False)

    await crew.rescued(db, crew.recovery_of(worker.services), 1)

    assert await crew.all_final(db) == {Status.COMPLETED: 1}
    assert await world.count(db, "leases") == 0


async def test_what_it_claimed_just_now_is_left_to_it(db, mortal, endpoint):
    """It may live on and be about to send it."""
    await claimed_for_nobody(db, endpoint, ago=timedelta(0))
    worker = await mortal(loops=False)

    assert await crew.recovery_of(worker.services).step(db) == 0


async def test_a_suspicion_does_not_outlive_the_session_of_who_has_it(
    db, database, mortal, endpoint
):
    """Two crashes of PostgreSQL in a row must not look like one long absence."""
    await db.raw.execute(
        "insert into workers (id, lock_id, host, pid, concurrency, alive_until)"
        " values ($1, 1, '', 1, 1, now() + interval '1 hour')",
        ids.new_id(),
    )
    worker = await mortal(loops=False)
    recovery = crew.recovery_of(worker.services)
    began = time.monotonic()

    async def two_looks_apart():
        return time.monotonic() - began > 1.1

    await recovery.step(db)
    await crew.eventually(two_looks_apart)
    after_a_crash = await database.dedicated()

    await recovery.step(Connection(after_a_crash))

    assert await world.count(db, "workers") == 2
    await after_a_crash.close()
