"""Claiming runs (behaviour 2.2, 2.3): order, exactness, expiry, leases."""

import asyncio
from datetime import timedelta

import pytest
import world

from strait_server.base import ids
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import Appetite, Status

WORTH = world.WORTH


async def test_a_claim_leases_runs_in_the_order_they_came(db):
    job = await world.a_job(db)
    runs = await world.queued(db, job, 7)

    claimed = await world.claim(db, 5)

    assert {run.id for run in claimed} == {run.id for run in runs[:5]}
    assert {run.lease_id for run in claimed} == {claimed[0].lease_id}
    assert await world.statuses(db) == {Status.DEQUEUED: 5, Status.QUEUED: 2}


async def test_a_claim_of_an_empty_queue_makes_no_lease(db):
    assert await world.claim(db, 10) == []
    assert await world.count(db, "leases") == 0


async def test_an_hour_of_waiting_is_worth_a_point_of_priority(db):
    job = await world.a_job(db)
    [old] = await world.queued(db, job, 1)
    [fresh] = await world.queued(db, job, 1, priority=2)
    await world.age(db, old, timedelta(hours=2, minutes=1))

    [first] = await world.claim(db, 1)

    assert first.id == old.id
    assert fresh.id != old.id


async def test_without_aging_priority_always_wins(db):
    job = await world.a_job(db)
    [old] = await world.queued(db, job, 1)
    [fresh] = await world.queued(db, job, 1, priority=1)
    await world.age(db, old, timedelta(days=20))

    [first] = await world.claim(db, 1, worth=world.NO_AGING)

    assert first.id == fresh.id


async def test_an_expired_run_is_never_handed_out(db):
    """T8: the claim itself ends it, whether or not the reaper has been there."""
    job = await world.a_job(db)
    [late, good] = await world.queued(db, job, 2)
    await world.expire(db, late)

    claimed = await world.claim(db, 10)

    assert [run.id for run in claimed if run.lease_id] == [good.id]
    assert await world.status(db, late.id) is Status.EXPIRED
    assert await world.count(db, "unsuccessful_runs") == 1


async def test_a_run_canceled_in_the_queue_is_dropped_by_the_claim(db):
    job = await world.a_job(db)
    [canceled, good] = await world.queued(db, job, 2)
    await world.cancel(db, canceled.id)

    claimed = await world.claim(db, 10)

    assert [run.id for run in claimed] == [good.id]
    assert await world.count(db, "queue") == 0


async def test_a_claim_can_be_limited_to_a_project(db):
    mine = await world.queued(db, await world.a_job(db, project_id="proj_mine"), 2)
    await world.queued(db, await world.a_job(db, project_id="proj_other"), 2)

    claimed = await world.claim(db, 10, project_id="proj_mine")

    assert {run.id for run in claimed} == {run.id for run in mine}


async def test_a_fair_claim_takes_one_run_of_each_job(db):
    long, short = await world.a_job(db), await world.a_job(db)
    await world.queued(db, long, 20)
    await world.queued(db, short, 1)

    claimed = await world.claim(db, 10, fairly=True)

    assert sorted(run.job_id for run in claimed) == sorted([long.id, short.id])


async def test_late_arrivals_below_the_floor_are_found_by_a_sweep(db):
    job = await world.a_job(db)
    [run] = await world.queued(db, job, 1)
    above = [2**60] * 11

    assert await world.claim(db, 10, floors=above) == []
    assert [one.id for one in await world.claim(db, 10)] == [run.id]


@pytest.mark.parametrize("fairly", [False, True], ids=["priority", "fair"])
async def test_eight_claimers_never_take_a_run_twice(database, fairly):
    """T130, D5: each of two thousand runs is claimed exactly once."""
    async with database.connection() as db:
        jobs = [await world.a_job(db) for _ in range(20)]
        for job in jobs:
            await world.queued(db, job, 100)

    async def claimer():
        taken = []
        async with database.connection() as db:
            worker_id = ids.new_id()
            while batch := await queue.claim(
                db, worker_id, Appetite(size=25, fairly=fairly), floors=[0] * 11, worth=WORTH
            ):
                taken += [run.id for run in batch]
        return taken

    taken = [
        run_id for part in await asyncio.gather(*(claimer() for _ in range(8))) for run_id in part
    ]

    async with database.connection() as db:
        taken += [run.id for run in await world.claim_all(db)]
    assert len(taken) == len(set(taken)) == 2000


async def test_entries_of_canceled_runs_do_not_hide_those_behind_them(database):
    """A claim that met only runs that are gone tells the workers to look again."""
    async with database.connection() as db:
        job = await world.a_job(db)
        gone = await world.queued(db, job, 10)
        await world.queued(db, job, 1)
        for run in gone:
            await world.cancel(db, run.id)
    told = asyncio.Event()
    hearing = await database.dedicated()
    await hearing.add_listener(queue.CHANNEL, lambda *_: told.set())

    async with database.connection() as db:
        assert await world.claim(db, 10) == []

    await asyncio.wait_for(told.wait(), 5)
    await hearing.close()
