"""Rate limits of a job (behaviour 2.10; traps T6b, T88)."""

import pytest
import world
from work.intake.triggering import fates, tally

from strait_server.base.errors import LimitReached
from strait_server.work.intake.service import tidying

FULL = "job rate limit exceeded"
BY_CUSTOMER = b'[{"name":"customer","max":2,"window_secs":60}]'
OF_A = {"payload": b'{"customer":"a"}'}
OF_B = {"payload": b'{"customer":"b"}'}
FULL_FOR_CUSTOMER = "rate limit exceeded for customer"


async def pass_time(db, seconds):
    """Let what was counted be older, since the clock of a test cannot be set."""
    await db.raw.execute(
        "update rate_limit_buckets set leaves_at = leaves_at - make_interval(secs => $1)", seconds
    )


async def test_triggers_at_once_are_admitted_up_to_the_limit_exactly(db, process, other):
    """T88, over two processes."""
    job = await world.a_job(db, rate_limit_max=15, rate_limit_window_secs=3600)

    made = await fates(*(one.trigger(job) for one in (process, other) * 20))

    assert tally(made) == {"made": 15, FULL: 25}
    assert await world.count(db, "runs") == 15


async def test_zero_is_no_limit(db, process):
    """T6b."""
    job = await world.a_job(db, rate_limit_max=0, rate_limit_window_secs=0)

    assert tally(await fates(*(process.trigger(job) for _ in range(5)))) == {"made": 5}


async def test_each_job_has_a_limit_of_its_own(db, process):
    jobs = [await world.a_job(db, rate_limit_max=1, rate_limit_window_secs=60) for _ in range(3)]

    assert tally(await fates(*map(process.trigger, jobs))) == {"made": 3}


@pytest.mark.parametrize("window", [1, 10, 60, 3600, 7 * 86_400])
async def test_the_window_lets_go_when_it_has_passed_and_not_before(db, process, window):
    job = await world.a_job(db, rate_limit_max=1, rate_limit_window_secs=window)
    await process.trigger(job)

    await pass_time(db, window * 0.9)
    [refusal] = await fates(process.trigger(job))
    await pass_time(db, window * 0.1 + max(window / 60, 0.1))

    assert refusal.message == FULL
    assert await process.trigger(job)


@pytest.mark.parametrize("window", [1, 60, 3600])
async def test_a_refusal_says_when_the_window_lets_go(db, process, window):
    job = await world.a_job(db, rate_limit_max=1, rate_limit_window_secs=window)
    await process.trigger(job)
    await pass_time(db, window / 2)

    with pytest.raises(LimitReached) as refused:
        await process.trigger(job)

    assert window * 0.49 <= refused.value.retry_after <= window * 0.52 + 0.1
    await pass_time(db, refused.value.retry_after)
    assert await process.trigger(job)


async def test_one_that_is_too_many_in_its_flush_is_told_the_whole_window(db, process):
    job = await world.a_job(db, rate_limit_max=1, rate_limit_window_secs=60)

    made = await fates(process.trigger(job), process.trigger(job))

    assert tally(made) == {"made": 1, FULL: 1}
    assert made[1].retry_after == 60


async def test_a_refused_trigger_does_not_count(db, process):
    job = await world.a_job(db, rate_limit_max=3, rate_limit_window_secs=60)
    await process.bulk(job, [{}, {}])

    made = await fates(process.bulk(job, [{}, {}]), process.trigger(job), process.trigger(job))

    assert [isinstance(one, LimitReached) for one in made] == [True, False, True]
    assert await world.count(db, "runs") == 3


async def test_a_bulk_counts_its_items(db, process, other):
    """T88."""
    job = await world.a_job(db, rate_limit_max=10, rate_limit_window_secs=60)

    made = await fates(*(one.bulk(job, [{}, {}, {}]) for one in (process, other) * 5))

    assert sum(not isinstance(one, LimitReached) for one in made) == 3
    assert await world.count(db, "runs") == 9


async def test_a_run_that_is_not_made_does_not_count(db, process):
    job = await world.a_job(db, rate_limit_max=2, rate_limit_window_secs=60)

    made = await fates(*(process.trigger(job, key="k") for _ in range(5)))

    assert tally(made) == {"made": 1, "hit": 4}
    assert await process.trigger(job)


async def test_a_trigger_refused_by_its_quota_does_not_count(db, process):
    await world.a_quota(db, max_queued_runs=1)
    job = await world.a_job(db, rate_limit_max=2, rate_limit_window_secs=60)
    first = await process.trigger(job)
    await fates(*(process.trigger(job) for _ in range(5)))

    await world.cancel(db, first.id)

    assert await process.trigger(job)


async def test_each_value_of_a_payload_field_has_a_limit_of_its_own(db, process):
    job = await world.a_job(db, rate_limit_keys=BY_CUSTOMER)

    made = await fates(
        *(process.trigger(job, **OF_A) for _ in range(3)),
        *(process.trigger(job, **OF_B) for _ in range(2)),
    )

    assert tally(made) == {"made": 4, FULL_FOR_CUSTOMER: 1}


async def test_a_field_is_looked_up_among_the_tags_as_well(db, process):
    job = await world.a_job(db, rate_limit_keys=BY_CUSTOMER, tags=b'{"customer":"a"}')

    made = await fates(
        *(process.trigger(job) for _ in range(3)),
        *(process.trigger(job, tags={"customer": "b"}) for _ in range(2)),
    )

    assert tally(made) == {"made": 4, FULL_FOR_CUSTOMER: 1}


async def test_a_run_without_the_field_is_not_limited_by_it(db, process):
    job = await world.a_job(db, rate_limit_keys=BY_CUSTOMER)

    made = await fates(*(process.trigger(job, payload=b'{"n":1}') for _ in range(5)))

    assert tally(made) == {"made": 5}


async def test_values_at_once_are_admitted_up_to_their_limits_exactly(db, process, other):
    """T88."""
    job = await world.a_job(db, rate_limit_keys=BY_CUSTOMER)

    made = await fates(
        *(one.trigger(job, **said) for one in (process, other) * 5 for said in (OF_A, OF_B))
    )

    assert tally(made) == {"made": 4, FULL_FOR_CUSTOMER: 16}


async def test_a_trigger_that_one_limit_refuses_does_not_count_against_the_others(db, process):
    job = await world.a_job(
        db, rate_limit_max=3, rate_limit_window_secs=60, rate_limit_keys=BY_CUSTOMER
    )

    made = await fates(*(process.trigger(job, **OF_A) for _ in range(4)))

    assert tally(made) == {"made": 2, FULL_FOR_CUSTOMER: 2}
    assert await process.trigger(job, **OF_B)


async def test_a_field_may_have_two_limits(db, process):
    job = await world.a_job(
        db,
        rate_limit_keys=(
            b'[{"name":"customer","max":2,"window_secs":60},'
            b'{"name":"customer","max":3,"window_secs":3600}]'
        ),
    )

    first = await fates(*(process.trigger(job, **OF_A) for _ in range(3)))
    await pass_time(db, 61)
    second = await fates(*(process.trigger(job, **OF_A) for _ in range(3)))

    assert tally(first) == {"made": 2, FULL_FOR_CUSTOMER: 1}
    assert tally(second) == {"made": 1, FULL_FOR_CUSTOMER: 2}


async def test_what_a_long_window_counted_is_not_forgotten(db, process):
    job = await world.a_job(db, rate_limit_max=1, rate_limit_window_secs=7 * 86_400)
    await process.trigger(job)
    await pass_time(db, 3 * 86_400)

    assert await tidying.forget(db) == 0

    assert tally(await fates(process.trigger(job))) == {FULL: 1}


async def test_what_has_left_its_window_is_forgotten(db, process):
    job = await world.a_job(db, rate_limit_max=1, rate_limit_window_secs=60)
    await process.trigger(job)
    await pass_time(db, 62)

    assert await tidying.forget(db) == 1

    assert await world.count(db, "rate_limit_buckets") == 0
