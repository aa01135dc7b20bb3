"""What happens by itself: the whole list.

`alone` loops run on the one process that leads, the others on every worker;
all are safe to run twice at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from strait_server.app.lifespan import Services
from strait_server.app.reactions import REACTIONS
from strait_server.base import outbox
from strait_server.base.db.connection import Connection
from strait_server.base.loops import Loop
from strait_server.base.telemetry.instruments import Counter, Gauge
from strait_server.work.dispatch import loops as dispatch
from strait_server.work.intake import loops as intake
from strait_server.work.queue import loops as queue
from strait_server.work.runs import loops as runs
from strait_server.work.workers import loops as workers
from strait_server.work.workers.model import Policy
from strait_server.work.workers.service.recovery import LOOK_EVERY, Recovery
from strait_server.work.workers.service.worker import Worker

_HOURLY: Final = timedelta(hours=1)
_ADAPT_EVERY: Final = timedelta(seconds=3)


def worker_loops(services: Services, policy: Policy, due: asyncio.Event) -> Sequence[Loop]:
    """Every loop of a worker, with its period."""
    settings, metrics = services.settings, services.metrics
    deleted = metrics.loops.reaper_records_deleted
    tidy = settings.reaper_interval
    relay = outbox.Relay(REACTIONS)
    told = asyncio.Event()
    services.listener.subscribe(outbox.CHANNEL, lambda _: told.set(), after_gap=told.set)
    recovery = Recovery(services.definitions, policy)
    return [
        Loop(
            name="queue.move_due",
            step=_counted(
                partial(queue.move_due, worth=policy.worth), metrics.loops.poller_runs_queued
            ),
            every=policy.poll_every,
            alone=False,
            next_in=queue.next_due,
            wake=due,
        ),
        Loop(name="outbox.relay", step=relay.step, every=timedelta(seconds=5), wake=told),
        Loop(name="workers.rescue_lost_runs", step=recovery.step, every=LOOK_EVERY),
        Loop(name="queue.expire", step=queue.expire, every=tidy),
        Loop(
            name="queue.open_waiting_gates",
            step=partial(queue.open_waiting_gates, worth=policy.worth),
            every=tidy,
        ),
        Loop(
            name="intake.forget", step=_counted(intake.forget, deleted, "admission"), every=_HOURLY
        ),
        Loop(
            name="dispatch.forget",
            step=_counted(dispatch.forget, deleted, "duration"),
            every=_HOURLY,
        ),
        Loop(name="runs.ensure_months", step=runs.ensure_months, every=_HOURLY),
        Loop(name="runs.retire", step=runs.retire(settings, deleted), every=tidy),
        Loop(
            name="queue.measure",
            step=partial(workers.measure_queue, metrics.queue),
            forget=_emptied(metrics.queue.depth),
            every=timedelta(seconds=15),
        ),
        Loop(
            name="queue.measure_jobs",
            step=partial(workers.measure_jobs, metrics.queue),
            forget=_emptied(metrics.queue.depth_per_job, metrics.queue.dead_letters),
            every=timedelta(minutes=1),
        ),
    ]


def adaptive_loop(worker: Worker, policy: Policy) -> Sequence[Loop]:
    """Let the worker's concurrency follow the load, where the settings ask for it."""
    if policy.adaptive_bounds is None:
        return []

    async def adapt(db: Connection) -> int:
        return await workers.adapt(db, worker, policy)

    return [Loop(name="workers.adapt", step=adapt, every=_ADAPT_EVERY, alone=False)]


def _emptied(*gauges: Gauge) -> Callable[[], None]:
    """Let gauges of the leader show nothing where nobody leads any more."""

    def empty() -> None:
        for gauge in gauges:
            gauge.replace({})

    return empty


def _counted(
    step: Callable[[Connection], Awaitable[int]], counter: Counter, *labels: str
) -> Callable[[Connection], Awaitable[int]]:
    """Let the counter hear what a step answers."""

    async def take_step(db: Connection) -> int:
        did = await step(db)
        counter.add(did, *labels)
        return did

    return take_step
