"""What loops count and measure (behaviour 15.1)."""

import asyncio
from datetime import timedelta

import crew
import pytest
import world
from msgspec.structs import replace

from strait_server.app import worker
from strait_server.app.loops import worker_loops
from strait_server.work.queue.model import Status

endpoint, hire, mortal = crew.endpoint, crew.hire, crew.mortal
BRIEFLY = timedelta(milliseconds=1)


@pytest.fixture
def loops(api):
    """List the loops of a worker, by name."""
    settings = replace(
        api.services.settings, run_retention_short=BRIEFLY, run_retention_long=BRIEFLY
    )
    services = replace(api.services, settings=settings)
    loops = worker_loops(
        services, worker.policy_of(settings, worth=services.worth), asyncio.Event()
    )
    return {loop.name: loop for loop in loops}


@pytest.fixture
def step(db, loops):
    """Take one step of a loop, by its name."""
    return lambda name: loops[name].step(db)


@pytest.fixture
def forget(loops):
    """Lose the lead, as far as a loop is concerned."""
    return lambda name: loops[name].forget()


@pytest.fixture
def metric(api):
    """Tell the value of a sample; 0 if there is none."""
    registry = api.services.metrics._registry

    def value(name, **labels):
        return registry.get_sample_value(name, labels) or 0

    return value


async def test_runs_that_became_due_are_counted(database, db, step, metric):
    job = await world.a_job(db)
    for _ in range(3):
        await world.a_run(db, job=job, status=Status.DELAYED)
    await db.raw.execute("update scheduled set due_at = now()")

    await step("queue.move_due")
    await step("queue.move_due")

    assert metric("strait_scheduler_poller_runs_queued_total") == 3


async def test_rows_whose_time_is_over_are_counted(database, db, step, metric):
    run = await world.a_run(db, status=Status.COMPLETED)
    await world.a_run(db, status=Status.EXECUTING)
    await world.end(db, run.id, ago="1 minute")
    await db.raw.execute(
        "insert into rate_limit_buckets (scope, leaves_at, admitted) values ('spent', now(), 1)"
    )

    for name in ("runs.retire", "runs.retire", "intake.forget", "dispatch.forget"):
        await step(name)

    counted = {
        kind: metric("strait_reaper_records_deleted_total", type=kind)
        for kind in ("run", "admission", "duration")
    }
    assert counted == {"run": 1, "admission": 1, "duration": 0}


async def test_what_waits_and_what_is_given_up_is_measured_by_job(database, db, step, metric):
    busy, broken = await world.a_job(db, max_concurrency=1), await world.a_job(db)
    await world.a_run(db, job=broken, status=Status.DEAD_LETTER)
    await world.a_run(db, job=broken, status=Status.FAILED)
    await world.a_run(db, job=broken, status=Status.DELAYED)
    [claimed, *_] = await world.queued(db, busy, 3)
    await step("queue.measure_jobs")
    before = metric("strait_queue_depth_per_job", job_id=str(busy.id))

    await world.claim(db, 10)
    await world.cancel(db, claimed.id)
    await step("queue.measure_jobs")

    assert before == 3
    assert metric("strait_queue_depth_per_job", job_id=str(busy.id)) == 2
    assert metric("strait_queue_depth_per_job", job_id=str(broken.id)) == 0
    assert metric("strait_dlq_depth", job_id=str(broken.id)) == 1
    assert metric("strait_dlq_depth", job_id=str(busy.id)) == 0


async def test_whoever_does_not_lead_any_more_shows_no_depths(database, db, api, step, forget):
    job = await world.a_job(db)
    await world.queued(db, job, 3)
    await world.a_run(db, job=job, status=Status.DEAD_LETTER)
    for name in ("queue.measure", "queue.measure_jobs"):
        await step(name)

    for name in ("queue.measure", "queue.measure_jobs"):
        forget(name)

    shown = api.services.metrics.queue
    for gauge in (shown.depth, shown.depth_per_job, shown.dead_letters):
        assert [family.samples for family in gauge.collect()] == [[]]


async def test_runs_that_are_claimed_and_not_sent_are_told_from_the_others(
    db, hire, endpoint, database
):
    hired = await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())
    jailer = await database.dedicated()

    async with jailer.transaction():
        await jailer.execute("lock table endpoint_circuits in access exclusive mode")
        [run] = await world.queued(db, job, 1)

        async def waits():
            return hired.metric("strait_pool_waiting_tasks") == 1

        await crew.eventually(waits)
        assert hired.metric("strait_pool_running_workers") == 1

    await crew.ended(db, run.id)
    await jailer.close()
    assert hired.metric("strait_pool_waiting_tasks") == 0
