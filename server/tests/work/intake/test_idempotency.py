"""Idempotency keys (behaviour 2.6, B.13; api 5; traps T5, T118b)."""

import asyncio

import pytest
import world
from work.intake.triggering import DEADLINE, fates, tally, until, waits_for_a_lock

from strait_server.work.intake.service import keys, tidying
from strait_server.work.queue.model import Status


async def test_a_hundred_triggers_at_once_with_one_key_make_one_run(db, process):
    """T5."""
    job = await world.a_job(db)

    made = await fates(*(process.trigger(job, key="k") for _ in range(100)))

    assert tally(made) == {"made": 1, "hit": 99}
    assert len({triggered.id for triggered in made}) == 1
    assert await world.count(db, "runs") == 1


async def test_so_they_do_over_two_processes(db, process, other):
    """T5."""
    job = await world.a_job(db)

    made = await fates(*(one.trigger(job, key="k") for one in (process, other) * 50))

    assert tally(made) == {"made": 1, "hit": 99}
    assert len({triggered.id for triggered in made}) == 1
    assert await world.count(db, "runs") == 1


async def test_many_keys_at_once_make_one_run_each(db, process, other):
    job = await world.a_job(db)

    made = await fates(
        *(
            one.trigger(job, key=f"k{number}")
            for _ in range(4)
            for number in range(25)
            for one in (process, other)
        )
    )

    assert tally(made) == {"made": 25, "hit": 175}
    assert await world.count(db, "runs") == 25


async def test_a_hit_tells_how_the_run_stands(db, process):
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")
    await world.claim(db, 1)

    second = await process.trigger(job, key="k")

    assert (second.id, second.status) == (first.id, Status.DEQUEUED)
    assert second.idempotency_hit


async def test_the_payload_does_not_matter(db, process):
    job = await world.a_job(db)
    first = await process.trigger(job, key="k", payload=b'{"n":1}')

    second = await process.trigger(job, key="k", payload=b'{"n":2}')

    assert second.id == first.id


async def test_a_twin_of_a_delayed_run_is_told_that_it_is_delayed(db, process):
    job = await world.a_job(db)
    later = await world.in_a_while(db)

    made = await fates(*(process.trigger(job, key="k", scheduled_at=later) for _ in range(5)))

    assert {triggered.status for triggered in made} == {Status.DELAYED}


async def test_each_job_has_keys_of_its_own(db, process):
    one, other = await world.a_job(db), await world.a_job(db)

    made = await fates(process.trigger(one, key="k"), process.trigger(other, key="k"))

    assert tally(made) == {"made": 2}


@pytest.mark.parametrize(
    ("status", "ago", "is_hit"),
    [
        (Status.COMPLETED, "23 hours 59 minutes", True),
        (Status.COMPLETED, "24 hours 1 minute", False),
        (Status.FAILED, "23 hours 59 minutes", True),
        (Status.FAILED, "24 hours 1 minute", False),
        (Status.TIMED_OUT, "24 hours 1 minute", False),
        (Status.CRASHED, "24 hours 1 minute", False),
        (Status.SYSTEM_FAILED, "24 hours 1 minute", False),
        (Status.CANCELED, "23 hours 59 minutes", True),
        (Status.CANCELED, "24 hours 1 minute", False),
        (Status.DEAD_LETTER, "1 minute", True),
        (Status.DEAD_LETTER, "20 days", True),
        (Status.EXPIRED, "1 second", False),
    ],
)
async def test_a_key_is_free_a_day_after_its_run_ended(db, process, status, ago, is_hit):
    """B.13."""
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")
    await world.end(db, first.id, status, ago=ago)

    second = await process.trigger(job, key="k")
    third = await process.trigger(job, key="k")

    assert second.idempotency_hit is is_hit
    assert (second.id == first.id) is is_hit
    assert third.id == second.id


@pytest.mark.parametrize("status", [Status.QUEUED, Status.EXECUTING, Status.WAITING])
async def test_an_active_run_keeps_its_key_however_old(db, process, status):
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")
    await db.raw.execute("update runs set status = $1", status)
    await db.raw.execute("update idempotency_keys set created_at = now() - interval '9 days'")

    await tidying.forget(db)

    assert (await process.trigger(job, key="k")).id == first.id


async def test_a_key_whose_run_is_gone_is_free(db, process):
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")
    await db.raw.execute("delete from runs")

    second = await process.trigger(job, key="k")

    assert not second.idempotency_hit
    assert second.id != first.id


async def test_a_stale_key_asked_for_at_once_makes_one_run(db, process, other):
    """T5, B.13."""
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")
    await world.end(db, first.id, ago="25 hours")

    made = await fates(*(one.trigger(job, key="k") for one in (process, other) * 20))

    assert tally(made) == {"made": 1, "hit": 39}
    assert await world.count(db, "runs") == 2


async def test_who_waited_for_a_stale_key_sees_that_it_was_taken(db, database, process, other):
    """T5, B.13: both find the key stale, then one waits for the other."""
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")
    await world.end(db, first.id, ago="25 hours")

    async with database.connection() as holder, holder.transaction():
        await holder.raw.execute("select 1 from idempotency_keys for update")
        both = asyncio.gather(process.trigger(job, key="k"), other.trigger(job, key="k"))
        await until(lambda: waits_for_a_lock(db, 2))

    assert tally(await both) == {"made": 1, "hit": 1}
    assert await world.count(db, "runs") == 2


async def test_a_key_is_not_forgotten_while_it_is_passed_on(db, database, process):
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")
    await world.end(db, first.id, ago="49 hours")
    await db.raw.execute("update idempotency_keys set created_at = now() - interval '49 hours'")

    async with database.connection() as taker, database.connection() as tidier:
        async with taker.transaction(), asyncio.timeout(DEADLINE):
            await taker.raw.execute(
                "update idempotency_keys set run_id = gen_random_uuid(), created_at = now()"
            )
            assert await tidying.forget(tidier) == 0

    assert await world.count(db, "idempotency_keys") == 1


async def test_a_key_that_nothing_can_hit_is_forgotten(db, process):
    job = await world.a_job(db)
    first = await process.trigger(job, key="old")
    await process.trigger(job, key="new")
    await world.end(db, first.id, ago="49 hours")
    await db.raw.execute("update idempotency_keys set created_at = now() - interval '49 hours'")

    assert await tidying.forget(db) == 1

    assert await db.raw.fetchval("select key from idempotency_keys") == "new"


async def test_the_key_of_a_waiting_run_can_be_reset(db, process):
    """B.13."""
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")

    assert await keys.reset(db, world.PROJECT, first.id)

    second = await process.trigger(job, key="k")
    assert not second.idempotency_hit
    assert second.id != first.id


@pytest.mark.parametrize("status", [Status.DEQUEUED, Status.EXECUTING, Status.WAITING])
async def test_the_key_of_a_run_under_way_cannot(db, process, status):
    """B.13."""
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")
    await db.raw.execute("update runs set status = $1", status)

    assert not await keys.reset(db, world.PROJECT, first.id)

    assert (await process.trigger(job, key="k")).idempotency_hit


async def test_nor_can_that_of_another_projects_run(db, process):
    """T73."""
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")

    assert not await keys.reset(db, "proj_2", first.id)


async def test_resetting_a_former_run_leaves_the_key_to_its_holder(db, process):
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")
    await world.end(db, first.id, ago="25 hours")
    second = await process.trigger(job, key="k")

    assert not await keys.reset(db, world.PROJECT, first.id)

    assert (await process.trigger(job, key="k")).id == second.id


async def test_a_refused_trigger_leaves_no_key_behind(db, process):
    await world.a_quota(db, max_queued_runs=1)
    job = await world.a_job(db)
    first = await process.trigger(job)

    made = await fates(*(process.trigger(job, key="k") for _ in range(3)))

    assert "made" not in tally(made)
    assert await world.count(db, "idempotency_keys") == 0
    await world.cancel(db, first.id)
    assert not (await process.trigger(job, key="k")).idempotency_hit


async def test_a_refused_trigger_leaves_a_stale_key_free(db, process):
    job = await world.a_job(db)
    first = await process.trigger(job, key="k")
    await world.end(db, first.id, ago="25 hours")
    await world.a_quota(db, max_queued_runs=1)
    job = await world.the_job(db, job.id)
    blocker = await process.trigger(job)

    [refusal] = await fates(process.trigger(job, key="k"))

    assert refusal.message == "project queued quota exceeded"
    await world.cancel(db, blocker.id)
    assert not (await process.trigger(job, key="k")).idempotency_hit


async def test_whoever_has_the_key_of_a_refused_trigger_is_decided_anew(db, process):
    """The first wants a place that is taken; the second has the key, and a place of its own."""
    limits = b'[{"name":"customer","max":1,"window_secs":60}]'
    job = await world.a_job(db, rate_limit_keys=limits)
    await process.trigger(job, payload=b'{"customer":"busy"}')

    made = await fates(
        process.trigger(job, key="k", payload=b'{"customer":"busy"}'),
        process.trigger(job, key="k", payload=b'{"customer":"idle"}'),
    )

    assert tally(made) == {"rate limit exceeded for customer": 1, "made": 1}


async def test_a_hit_needs_no_room(db, process):
    await world.a_quota(db, max_queued_runs=1)
    job = await world.a_job(db, rate_limit_max=1, rate_limit_window_secs=60)
    first = await process.trigger(job, key="k")

    assert (await process.trigger(job, key="k")).id == first.id


async def test_a_key_twice_in_one_bulk_makes_one_run(db, process):
    job = await world.a_job(db)

    bulk = await process.bulk(job, [{"idempotency_key": "k"}, {}, {"idempotency_key": "k"}])

    assert [result.idempotency_hit for result in bulk.results] == [False, False, True]
    assert bulk.results[0].id == bulk.results[2].id
    assert (bulk.total, bulk.created) == (3, 2)
    assert await world.count(db, "runs") == 2


async def test_a_key_twice_in_one_bulk_that_stands_for_an_earlier_run(db, process):
    job = await world.a_job(db)
    earlier = await process.trigger(job, key="k")

    bulk = await process.bulk(job, [{"idempotency_key": "k"}, {"idempotency_key": "k"}])

    assert [result.id for result in bulk.results] == [earlier.id, earlier.id]
    assert all(result.idempotency_hit for result in bulk.results)
    assert bulk.created == 0


async def test_bulks_that_share_keys_do_not_block_each_other(db, process, other):
    job = await world.a_job(db)
    names = [{"idempotency_key": f"k{number}"} for number in range(20)]

    made = await fates(
        *(
            one.bulk(job, items)
            for _ in range(5)
            for one in (process, other)
            for items in (names, names[::-1], names[5:] + names[:5])
        )
    )

    assert sum(bulk.created for bulk in made) == 20
    assert await world.count(db, "runs") == 20
    ids = [{result.id for result in bulk.results} for bulk in made]
    assert all(one == ids[0] for one in ids)
