"""Claims that were committed without the worker's knowing (behaviour 8.4 #1; D1)."""

import asyncio

import crew
import world
from endpoint import when

from strait_server.base.db.connection import Connection
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import Appetite, Status

GIVEN_UP = 10.0  # seconds: a worker waits five for the answer to a claim


async def test_a_claim_whose_answer_was_lost_is_taken_back(db, hire):
    """The runs are leased to a living worker that does not know of them, and nobody else would."""
    hired = await hire(worker_partitions="proj_others")
    job = await world.a_job(db, max_concurrency=10)
    runs = await world.queued(db, job, 3)
    appetite = Appetite(size=5, project_id=None)
    await queue.claim(db, hired.worker_id, appetite, floors=[0] * 11, worth=world.WORTH)

    await hired.worker._take_back_strays()
    await hired.crew.recorder.drain()

    assert await world.statuses(db) == {Status.QUEUED: 3}
    assert await world.count(db, "leases") == 0
    claimed = await world.claim(db, 5)
    assert {(run.id, run.attempt) for run in claimed} == {(run.id, 1) for run in runs}


async def test_a_worker_looks_for_strays_by_itself(db, hire, endpoint):
    """Soon after a claim that failed, and now and then."""
    hired = await hire(poller_interval="100ms", heartbeat_interval="100ms", stale_threshold="300ms")
    job = await world.a_job(db, endpoint_url=endpoint.url())
    [run] = await world.queued(db, job, 1)
    await crew.ended(db, run.id)

    await db.raw.execute(
        "insert into leases (worker_id, run_ids) values ($1, $2)",
        hired.worker_id,
        [run.id],
    )

    async def taken_back():
        return await world.count(db, "leases") == 0

    await crew.eventually(taken_back)


async def test_what_is_in_hand_is_not_taken_for_a_stray(db, hire, endpoint):
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    hired = await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.queued(db, job, 5)
    await endpoint.heard(5)

    await hired.worker._take_back_strays()
    await hired.crew.recorder.drain()
    answered.set()
    await crew.all_final(db)

    assert len(endpoint.requests) == 5
    assert await world.statuses(db) == {Status.COMPLETED: 5}


async def test_a_claim_that_is_given_up_is_not_committed_afterwards(db, database, hire, endpoint):
    """PostgreSQL does not hear that nobody waits any more; the next claim ends it first."""
    await hire(max_dequeue_batch_size=1, poller_interval="100ms")
    job = await world.a_job(db, endpoint_url=endpoint.url())
    [first] = await world.queued(db, job, 1)
    await crew.ended(db, first.id)  # the claim is prepared: it will wait with all it needs
    jailer = Connection(await database.dedicated())
    async with jailer.transaction():
        await jailer.raw.execute("lock table queue in access exclusive mode")
        runs = await world.queued(jailer, job, 2)
        [given_up] = await crew.eventually(lambda: waiting_claims(db))
        await crew.eventually(lambda: another_claim_waits(db, given_up), within=GIVEN_UP)
        assert given_up not in await waiting_claims(db)
    await jailer.raw.close()

    assert await crew.all_final(db) == {Status.COMPLETED: 3}

    claims = [(await crew.moves(db, run.id)).count(Status.DEQUEUED) for run in runs]
    assert claims == [1, 1]
    assert endpoint.attempts() == {str(run.id): [1] for run in (first, *runs)}


async def another_claim_waits(db, given_up):
    return set(await waiting_claims(db)) - {given_up}


async def waiting_claims(db):
    """The processes of PostgreSQL that wait with a claim."""
    return await db.raw.fetchval(
        "select coalesce(array_agg(pid), '{}') from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
        " and query like '%locked as materialized%'"
    )
