"""What a worker takes on: as much as it can start, as soon as it can (behaviour 2.3, 2.4, 14.2)."""

import asyncio

import crew
import world
from endpoint import when

from strait_server.work.queue.model import Status
from strait_server.work.workers.service import load

FAR_BETWEEN = {"poller_interval": "10m"}


async def test_claimed_runs_never_exceed_the_places(db, hire, endpoint):
    """T10: what is claimed is under way, not waiting in the worker."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    hired = await hire(worker_concurrency=7, adaptive_concurrency_max=7)
    job = await world.a_job(db, endpoint_url=endpoint.url())

    await world.queued(db, job, 60)
    await endpoint.heard(7)

    counts = await world.statuses(db)
    assert counts[Status.QUEUED] == 53
    assert hired.worker.in_flight == 7
    answered.set()
    await crew.all_final(db)
    assert endpoint.busiest <= 7


async def test_a_backlog_drains_without_waiting_for_ticks(db, hire, endpoint):
    """T9."""
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.queued(db, job, 120)

    await hire(worker_concurrency=10, adaptive_concurrency_max=10, **FAR_BETWEEN)

    assert await crew.all_final(db) == {Status.COMPLETED: 120}


async def test_a_fair_worker_drains_the_backlog_of_one_job_as_well(db, hire, endpoint):
    """T9: one run of each job per claim, and claim after claim."""
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.queued(db, job, 60)

    await hire(dequeue_strategy="fair_round_robin", **FAR_BETWEEN)

    assert await crew.all_final(db) == {Status.COMPLETED: 60}


async def test_a_fair_worker_does_not_pass_over_low_priorities(db, hire, endpoint):
    """Its claims leave older entries behind, so they must not raise the floor."""
    busy, other = [await world.a_job(db, endpoint_url=endpoint.url()) for _ in range(2)]
    await world.queued(db, busy, 2, priority=0)
    await world.queued(db, busy, 30, priority=5)
    await world.queued(db, other, 30, priority=0)

    await hire(dequeue_strategy="fair_round_robin", **FAR_BETWEEN)

    assert await crew.all_final(db) == {Status.COMPLETED: 62}


async def test_a_fair_worker_lets_every_job_have_its_turn(db, hire, endpoint):
    loud, quiet = [await world.a_job(db, endpoint_url=endpoint.url()) for _ in range(2)]
    await world.queued(db, loud, 50)
    [run] = await world.queued(db, quiet, 1)

    await hire(
        dequeue_strategy="fair_round_robin",
        worker_concurrency=5,
        adaptive_concurrency_max=5,
        **FAR_BETWEEN,
    )
    await crew.all_final(db)

    order = [request.run_id for request in endpoint.requests]
    assert order.index(str(run.id)) < 25  # in plain order it would be the last


async def test_a_run_that_nobody_announced_is_found_by_the_next_look(db, hire, endpoint):
    """D20: the listener is down."""
    hired = await hire(poller_interval="200ms")
    hired.services.listener._heard.clear()
    job = await world.a_job(db, endpoint_url=endpoint.url())

    [run] = await world.queued(db, job, 1)

    assert await crew.ended(db, run.id, within=5.0) == {run.id: Status.COMPLETED}


async def test_a_worker_serves_its_partitions_only(db, hire, endpoint):
    mine = await world.a_job(db, endpoint_url=endpoint.url(), project_id="proj_mine")
    others = await world.a_job(db, endpoint_url=endpoint.url(), project_id="proj_others")
    runs = await world.queued(db, mine, 20)
    await world.queued(db, others, 20)

    await hire(worker_partitions="proj_mine")
    await crew.ended(db, *(run.id for run in runs))

    assert await world.statuses(db) == {Status.COMPLETED: 20, Status.QUEUED: 20}


async def test_partitions_take_turns_by_their_weight(db, hire, endpoint):
    """Both have a backlog: three of four runs are of the one with weight 3."""
    jobs = {
        project_id: await world.a_job(db, endpoint_url=endpoint.url(), project_id=project_id)
        for project_id in ("proj_heavy", "proj_light")
    }
    for job in jobs.values():
        await world.queued(db, job, 40)

    await hire(
        worker_partitions="proj_heavy,proj_light",
        worker_partition_weights="proj_heavy:3,proj_light:1",
        worker_concurrency=1,
        adaptive_concurrency_min=1,
        adaptive_concurrency_max=1,
    )
    first = await endpoint.heard(40)
    await crew.all_final(db)

    assert sum(request["X-Project-ID"] == "proj_heavy" for request in first) == 30


async def test_two_workers_on_one_backlog_send_nothing_twice(db, hire, endpoint):
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.queued(db, job, 200)

    for _ in range(2):
        await hire(dequeue_strategy="fair_round_robin")
    await crew.all_final(db)

    assert len(endpoint.attempts()) == len(endpoint.requests) == 200


async def test_nothing_is_claimed_when_memory_is_short(db, hire, endpoint):
    """One per cent of this machine: where that is plenty, everything is claimed."""
    hired = await hire(memory_pressure_threshold_pct=1)
    short = hired.worker._claimer.is_short_of_memory()
    job = await world.a_job(db, endpoint_url=endpoint.url())

    await world.queued(db, job, 5)
    if short:
        await db.raw.execute("select pg_notify('strait_queue', '')")
        assert await world.statuses(db) == {Status.QUEUED: 5}
    else:
        assert await crew.all_final(db) == {Status.COMPLETED: 5}


async def test_the_pace_follows_the_queue_within_its_bounds(db, hire, endpoint):
    """Behaviour 14.2."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    hired = await hire(
        worker_concurrency=100, adaptive_concurrency_min=5, adaptive_concurrency_max=20
    )
    worker, policy = hired.worker, hired.worker._policy
    assert worker.pace.limit == 20  # it begins within its bounds
    job = await world.a_job(db, endpoint_url=endpoint.url())

    for _ in range(6):
        await load.adapt(db, worker, policy)
    assert worker.pace.limit < 20
    low = worker.pace.limit
    await world.queued(db, job, 200)
    await endpoint.heard(low)
    await load.adapt(db, worker, policy)

    assert low < worker.pace.limit <= 20
    await endpoint.heard(worker.pace.limit)
    answered.set()
    await crew.all_final(db)


async def test_only_what_it_may_claim_makes_a_worker_grow(db, hire, endpoint):
    hired = await hire(worker_partitions="proj_mine", worker_concurrency=5)
    others = await world.a_job(db, endpoint_url=endpoint.url(), project_id="proj_others")
    await world.queued(db, others, 500)
    before = hired.worker.pace.limit

    await load.adapt(db, hired.worker, hired.worker._policy)

    assert hired.worker.pace.limit == before
