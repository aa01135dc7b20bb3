"""Project quotas (behaviour 2.8 #11; api 6.2; traps T6b, T88)."""

import pytest
import world
from work.intake.triggering import fates, tally

from strait_server.base.errors import LimitReached
from strait_server.work.intake import store
from strait_server.work.queue.model import Status

FULL = "project queued quota exceeded"


async def test_triggers_at_once_fill_the_quota_exactly(db, process, other):
    """T88, over two processes."""
    await world.a_quota(db, max_queued_runs=15)
    job = await world.a_job(db)

    made = await fates(*(one.trigger(job) for one in (process, other) * 20))

    assert tally(made) == {"made": 15, FULL: 25}
    assert await world.count(db, "runs") == 15


async def test_the_quota_is_over_all_jobs_of_the_project(db, process):
    await world.a_quota(db, max_queued_runs=3)
    jobs = [await world.a_job(db) for _ in range(4)]

    assert tally(await fates(*map(process.trigger, jobs))) == {"made": 3, FULL: 1}


async def test_the_quota_of_one_project_is_not_that_of_another(db, process):
    await world.a_quota(db, max_queued_runs=1)
    await world.a_quota(db, project_id="proj_2", max_queued_runs=1)
    jobs = [await world.a_job(db), await world.a_job(db, project_id="proj_2")]

    assert tally(await fates(*map(process.trigger, jobs))) == {"made": 2}


async def test_zero_is_no_quota(db, process):
    """T6b."""
    await world.a_quota(db, max_queued_runs=0, max_executing_runs=0, max_jobs=1)
    job = await world.a_job(db)

    assert tally(await fates(*(process.trigger(job) for _ in range(5)))) == {"made": 5}


async def test_a_refusal_says_when_to_try_again(db, process):
    await world.a_quota(db, max_queued_runs=1)
    job = await world.a_job(db)
    await process.trigger(job)

    with pytest.raises(LimitReached) as refused:
        await process.trigger(job)

    assert 1 <= refused.value.retry_after <= 60


async def test_a_bulk_counts_its_items(db, process):
    """T88."""
    await world.a_quota(db, max_queued_runs=5)
    job = await world.a_job(db)
    await process.bulk(job, [{}, {}, {}])

    [refusal] = await fates(process.bulk(job, [{}, {}, {}]))

    assert refusal.message == FULL
    assert (await process.bulk(job, [{}, {}])).created == 2


async def test_items_that_make_no_run_do_not_count(db, process):
    await world.a_quota(db, max_queued_runs=2)
    job = await world.a_job(db)
    await process.trigger(job, key="k")

    bulk = await process.bulk(
        job, [{"idempotency_key": "k"}, {"idempotency_key": "n"}, {"idempotency_key": "n"}]
    )

    assert bulk.created == 1


async def test_bulks_at_once_fill_the_quota_and_never_pass_it(db, process, other):
    """T88."""
    await world.a_quota(db, max_queued_runs=10)
    job = await world.a_job(db)

    made = await fates(*(one.bulk(job, [{}, {}, {}]) for one in (process, other) * 5))

    assert sum(not isinstance(one, LimitReached) for one in made) == 3
    assert await world.count(db, "runs") == 9


async def test_delayed_and_held_back_runs_count(db, process):
    await world.a_quota(db, max_queued_runs=3)
    job = await world.a_job(db, max_concurrency=1)
    await process.trigger(job)
    await process.trigger(job)
    await process.trigger(job, scheduled_at=await world.in_a_while(db))

    [refusal] = await fates(process.trigger(job))

    assert refusal.message == FULL
    assert await world.count(db, "blocked") == await world.count(db, "scheduled") == 1


async def test_runs_canceled_in_the_queue_do_not_count(db, process):
    await world.a_quota(db, max_queued_runs=1)
    job = await world.a_job(db)
    first = await process.trigger(job)

    await world.cancel(db, first.id)

    assert await process.trigger(job)
    assert await world.count(db, "queue") == 2  # the entry goes when a claim meets it


async def test_runs_under_way_do_not_count_as_queued(db, process):
    await world.a_quota(db, max_queued_runs=1)
    job = await world.a_job(db)
    await process.trigger(job)

    await world.claim(db, 1)

    assert await process.trigger(job)


async def test_as_long_as_enough_runs_are_under_way_no_more_come_in(db, process):
    await world.a_quota(db, max_executing_runs=2)
    job = await world.a_job(db)
    for _ in range(3):
        await process.trigger(job)
    claimed = await world.claim(db, 1) + await world.claim(db, 1)

    [refusal] = await fates(process.trigger(job))

    assert refusal.message == "project executing quota exceeded"
    await world.complete(db, claimed[0])
    assert (await process.trigger(job)).status is Status.QUEUED


@pytest.mark.parametrize(
    ("quota", "counted"), [("max_queued_runs", (1, 0)), ("max_executing_runs", (0, 1))]
)
async def test_only_what_is_limited_is_counted(db, quota, counted):
    await world.a_quota(db, **{quota: 5})
    job = await world.a_job(db)
    await world.a_run(db, status=Status.EXECUTING, job=job)
    await world.queued(db, job, 1)

    [room] = await store.room(db, [world.PROJECT])

    assert (room.queued, room.executing) == counted
