"""The worker's side of a process: claimer, dispatcher, recorder, and what runs beside them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from msgspec import Struct

from strait_server.app.lifespan import Services
from strait_server.app.loops import adaptive_loop, worker_loops
from strait_server.base.db.database import PATIENCE, PINNED_PLANS, Line
from strait_server.base.loops import Runner
from strait_server.base.outbound.client import Client
from strait_server.base.outbound.pools import Limits as ConnectionLimits
from strait_server.base.outbound.resolver import Resolver
from strait_server.base.outbound.urls import EndpointPolicy
from strait_server.base.settings import DequeueStrategy, Settings
from strait_server.work.dispatch.service import endpoints
from strait_server.work.dispatch.service.dispatcher import Dispatcher
from strait_server.work.dispatch.service.dispatcher import Limits as DispatchLimits
from strait_server.work.dispatch.service.durations import Durations
from strait_server.work.dispatch.service.endpoints import Endpoints
from strait_server.work.dispatch.service.provisions import Provisions
from strait_server.work.queue import service as queue
from strait_server.work.workers.model import Policy
from strait_server.work.workers.service.claimer import Claimer
from strait_server.work.workers.service.presence import Presence
from strait_server.work.workers.service.recorder import Recorder
from strait_server.work.workers.service.worker import Worker

_CLOSE_SECONDS: Final = 5.0
_log = structlog.get_logger(__name__)


class Crew(Struct, frozen=True):
    """What belongs to one worker."""

    worker: Worker
    presence: Presence
    recorder: Recorder
    endpoints: Endpoints
    durations: Durations
    loops: Runner


@asynccontextmanager
async def working(services: Services) -> AsyncGenerator[Crew]:
    """Run a worker as long as the block lasts; on leaving, drain it and say good-bye.

    Heartbeats go on until the last outcome is recorded (T119).
    """
    resolver = Resolver()
    client = Client(resolver, limits=_connection_limits(services.settings))
    lines = [Line(services.database, PINNED_PLANS, patience=PATIENCE) for _ in range(4)]
    crew = _assemble(services, client, lines)
    background = services.watch(_background(crew), name="worker")
    work = asyncio.create_task(crew.worker.run())
    work.add_done_callback(partial(_notice_failure, services))
    try:
        yield crew
    finally:
        crew.worker.stop()
        await work
        await crew.endpoints.report()
        background.cancel()
        await asyncio.wait([background], timeout=_CLOSE_SECONDS)
        await client.close()
        resolver.close()
        for line in lines:
            await line.close()


def _notice_failure(services: Services, work: asyncio.Task[None]) -> None:
    if not work.cancelled() and work.exception() is not None:
        services.broken.set()


async def _background(crew: Crew) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(crew.recorder.run())
        group.create_task(crew.presence.run())
        group.create_task(crew.endpoints.run())
        group.create_task(crew.durations.run())
        group.create_task(crew.loops.run())


def _assemble(services: Services, client: Client, lines: list[Line]) -> Crew:
    settings, metrics = services.settings, services.metrics
    policy = policy_of(settings, worth=services.worth)
    claims, starts, outcomes, reports = lines
    recorder = Recorder(starts, outcomes, metrics, worth=policy.worth)
    presence = Presence(services.database, policy, renamed=recorder.abandon)
    endpoint_circuits = Endpoints(services.database, reports)
    durations = Durations(services.database)
    provisions = Provisions(
        services.database,
        services.sealer,
        EndpointPolicy(allow_private=settings.allow_private_endpoints),
    )
    dispatcher = Dispatcher(
        client,
        endpoint_circuits,
        durations,
        provisions,
        services.tokens,
        DispatchLimits(
            max_result_bytes=settings.max_result_size,
            max_snoozes=settings.max_snooze_count,
            default_max_concurrency=settings.default_job_max_concurrency,
        ),
        spans=services.tracing,
        metrics=metrics.dispatch,
    )
    worker = Worker(
        Claimer(claims, presence, policy, metrics),
        presence,
        recorder,
        dispatcher,
        services.definitions,
        metrics,
        policy,
    )
    due = asyncio.Event()
    services.listener.subscribe(queue.CHANNEL, worker.wake, after_gap=worker.wake)
    services.listener.subscribe("strait_scheduled", lambda _: due.set(), after_gap=due.set)
    services.listener.subscribe(
        endpoints.CHANNEL, endpoint_circuits.changed, after_gap=endpoint_circuits.changed
    )
    services.listener.subscribe(
        "strait_changed", provisions.forget_secrets, after_gap=provisions.forget_secrets
    )
    loops = [*worker_loops(services, policy, due), *adaptive_loop(worker, policy)]
    return Crew(
        worker=worker,
        presence=presence,
        recorder=recorder,
        endpoints=endpoint_circuits,
        durations=durations,
        loops=Runner(services.database, loops, ran=services.count_loop),
    )


def policy_of(settings: Settings, *, worth: int) -> Policy:
    """How the settings say a worker works."""
    bounds = (settings.adaptive_concurrency_min, settings.adaptive_concurrency_max)
    return Policy(
        concurrency=settings.worker_concurrency,
        fairly=settings.dequeue_strategy is DequeueStrategy.FAIR_ROUND_ROBIN,
        partitions=_cycle(settings),
        adaptive_bounds=bounds if bounds[1] else None,
        memory_threshold_pct=settings.memory_pressure_threshold_pct,
        worth=worth,
        largest_claim=settings.max_dequeue_batch_size or max(queue.CLAIM_SIZES),
        poll_every=settings.poller_interval,
        heartbeat_every=settings.heartbeat_interval,
        stale_after=settings.stale_threshold,
        drain_for=settings.worker_drain_timeout,
    )


def _cycle(settings: Settings) -> tuple[str, ...]:
    """Each partition as often as its weight says (behaviour 2.3)."""
    weights = settings.worker_partition_weights
    return tuple(
        project_id
        for project_id in settings.worker_partitions
        for _ in range(weights.get(project_id, 1))
    )


def _connection_limits(settings: Settings) -> ConnectionLimits:
    most = max(settings.worker_concurrency, settings.adaptive_concurrency_max, 100)
    idle: timedelta = settings.executor_idle_conn_timeout
    return ConnectionLimits(per_origin=most, idle=most, idle_seconds=idle.total_seconds())
