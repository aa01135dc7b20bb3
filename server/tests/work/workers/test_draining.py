"""Stopping a worker (behaviour 14.5; D18, D19, T119)."""

import asyncio

import crew
import world
from endpoint import answer, hang, when

from strait_server.work.queue.model import Status


async def test_what_was_sent_completes_and_the_rest_goes_back_as_it_was(db, database, endpoint):
    """D18."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    job = await world.a_job(db, endpoint_url=endpoint.url())
    async with crew.at_work(
        database.dsn, worker_concurrency=10, adaptive_concurrency_max=10
    ) as hired:
        await world.queued(db, job, 25)
        await endpoint.heard(10)

        hired.worker.stop()
        answered.set()

    assert await world.statuses(db) == {Status.COMPLETED: 10, Status.QUEUED: 15}
    assert await db.raw.fetchval("select max(attempt) from runs") == 1
    assert await world.count(db, "queue") == 15
    assert await world.count(db, "leases") == 0
    assert await world.count(db, "workers") == 0


async def test_a_stopping_worker_takes_nothing_more(db, hire, endpoint):
    answered = asyncio.Event()
    endpoint.on("/work", when(answered), answer())
    hired = await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())
    [first] = await world.queued(db, job, 1)
    await endpoint.heard(1)

    hired.worker.stop()
    await world.queued(db, job, 5)
    answered.set()
    await crew.ended(db, first.id)

    assert await world.statuses(db) == {Status.COMPLETED: 1, Status.QUEUED: 5}


async def test_what_was_claimed_and_not_sent_goes_back_unused(db, hire, endpoint):
    """The signal came while the claim was on its way."""
    worker = (await hire()).worker
    job = await world.a_job(db, endpoint_url=endpoint.url())
    worker.stop()
    [run] = await world.queued(db, job, 1)

    worker._take_on(await worker._claimer.claim(5))

    async def given_back():
        return await world.count(db, "queue") == 1 and await world.count(db, "leases") == 0

    await crew.eventually(given_back)
    row = await crew.the_run(db, run.id)
    assert (row["status"], row["attempt"], row["next_retry_at"]) == ("queued", 1, None)
    assert await crew.moves(db, run.id) == ["queued", "dequeued", "queued"]
    assert endpoint.requests == []


async def test_a_worker_says_that_it_lives_until_it_has_drained(db, database, endpoint):
    """T119: else somebody would take its runs."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    job = await world.a_job(db, endpoint_url=endpoint.url())
    async with crew.at_work(
        database.dsn, heartbeat_interval="50ms", stale_threshold="150ms"
    ) as hired:
        await world.queued(db, job, 1)
        await endpoint.heard(1)
        hired.worker.stop()
        before = await db.raw.fetchval("select alive_until from workers")

        async def later():
            return await db.raw.fetchval("select alive_until from workers") > before

        await crew.eventually(later)
        assert await crew.recovery_of(hired.services).step(db) == 0
        answered.set()

    assert await world.statuses(db) == {Status.COMPLETED: 1}


async def test_a_run_longer_than_the_drain_is_left_to_recovery(db, database, mortal, endpoint):
    """D19: it is neither lost nor taken for finished."""
    endpoint.on("/work", hang, answer())
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=2)
    async with crew.at_work(database.dsn, worker_drain_timeout="100ms") as hired:
        [run] = await world.queued(db, job, 1)
        await crew.stands(db, run.id, Status.EXECUTING)
        gone = hired.worker_id

    assert await world.status(db, run.id) == Status.EXECUTING
    assert await db.raw.fetchval("select count(*) from leases where worker_id = $1", gone) == 1

    another = await mortal(loops=False)
    await crew.rescued(db, crew.recovery_of(another.services), 1)
    await crew.make_due(db)
    assert await crew.ended(db, run.id) == {run.id: Status.COMPLETED}
    assert endpoint.attempts() == {str(run.id): [1, 2]}


async def test_a_worker_that_never_reached_the_database_can_be_stopped(database):
    unreachable = "postgresql://nobody@127.0.0.1:1/nothing"
    hired = await crew.Mortal.hire(unreachable, present=False)

    hired.worker.stop()
    async with asyncio.timeout(10):
        await hired._tasks[1]
    await hired.die()
