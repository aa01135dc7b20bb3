"""A worker: claims what it can start, has it sent, records what became of it.

    claim ──► execute ──► admit? ──► send ──► report
      ▲          │           │                   │
      └──────────┴───────────┴── a place is free ┘

It never holds more runs than it can start (T10). When it is told to stop, it
claims nothing more, finishes what it has sent within the drain time, and puts
back what it has not.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import asyncpg
import structlog

from strait_server.base.clock import monotonic
from strait_server.base.db.outage import is_outage
from strait_server.base.telemetry.metrics import Metrics
from strait_server.work.dispatch.model import Concurrency, Snooze
from strait_server.work.dispatch.service import verdicts
from strait_server.work.dispatch.service.dispatcher import Dispatcher, notes_of
from strait_server.work.dispatch.service.provisions import Provision
from strait_server.work.jobs.service.definitions import Definition, Definitions
from strait_server.work.queue.model import ClaimedRun, Finished, Returned
from strait_server.work.workers.model import Policy
from strait_server.work.workers.service.claimer import Claimer
from strait_server.work.workers.service.presence import Presence
from strait_server.work.workers.service.recorder import Recorder

_DAMP_SECONDS: Final = 0.002
_OUTAGE_PAUSE: Final = 0.5
_log = structlog.get_logger(__name__)


class Worker:
    """One worker of one process. `run` works until `stop`, then drains."""

    def __init__(
        self,
        claimer: Claimer,
        presence: Presence,
        recorder: Recorder,
        dispatcher: Dispatcher,
        definitions: Definitions,
        metrics: Metrics,
        policy: Policy,
    ) -> None:
        self._claimer = claimer
        self._presence = presence
        self._recorder = recorder
        self._dispatcher = dispatcher
        self._definitions = definitions
        self._metrics = metrics.worker
        self._policy = policy
        self._pace = Concurrency(limit=policy.concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._place_freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._metrics.running.follow(lambda: len(self._tasks))

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    @property
    def pace(self) -> Concurrency:
        """How many runs may be in flight."""
        return self._pace

    def wake(self, _payload: str = "") -> None:
        """Something may be in the queue."""
        self._wake.set()

    def follow(self, pace: Concurrency) -> None:
        """Change how many runs may be in flight."""
        self._pace = pace
        self._place_freed.set()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping.set()
        self._wake.set()
        self._place_freed.set()

    async def run(self) -> None:
        """Claim and execute until told to stop, then drain."""
        await self._presence.ready.wait()
        while not self._stopping.is_set():
            limit = self._pace.limit
            size = self._claimer.size(limit - len(self._tasks), limit)
            if size == 0:
                await self._wait_for_a_place()
                continue
            self._wake.clear()
            try:
                claimed = await self._claimer.claim(size)
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if not is_outage(error):
                    raise
                await asyncio.sleep(_OUTAGE_PAUSE)
                continue
            self._take_on(claimed)
            if not self._claimer.backlog:
                await self._wait_for_work()
        await self._drain()

    def _take_on(self, claimed: Sequence[ClaimedRun]) -> None:
        now = monotonic()
        leased = [run for run in claimed if run.lease_id is not None]
        self._recorder.leased(leased)
        for run in leased:
            task = asyncio.create_task(self._execute(run, now))
            self._tasks.add(task)
            task.add_done_callback(self._executed)
        self._metrics.submitted.add(len(leased))

    async def _execute(self, run: ClaimedRun, claimed: float) -> None:
        """Take one run to an outcome, whatever happens."""
        try:
            definition = await self._definitions.by_id(run.job_id, revision=run.job_revision)
            if definition is None:
                report: Finished | Returned = verdicts.system_failed(run, "job not found")
            else:
                report = await self._outcome(run, definition, claimed)
        except Exception as error:  # noqa: BLE001 - the outermost frame of an execution
            _log.exception("execution failed", run_id=str(run.id), job_id=str(run.job_id))
            report = verdicts.system_failed(run, f"panic: {type(error).__name__}")
        await self._recorder.report(report)

    async def _outcome(
        self, run: ClaimedRun, definition: Definition, claimed: float
    ) -> Finished | Returned:
        if self._stopping.is_set() or definition.job.paused or not definition.job.enabled:
            return verdicts.put_back(run, definition)
        admitted = await self._dispatcher.admit(run, definition)
        if not isinstance(admitted, Provision):
            snoozes = notes_of(run).snooze_count if isinstance(admitted, Snooze) else 0
            return verdicts.record(run, definition, admitted, snoozes=snoozes)
        try:
            self._recorder.start(run, monotonic())
            sent = await self._dispatcher.send(run, admitted, claimed=claimed)
        finally:
            self._dispatcher.leave(run.job_id)
        return verdicts.record(
            run,
            definition,
            sent.outcome,
            age_micros=int((monotonic() - sent.started) * 1_000_000),
            trace=sent.trace,
        )

    def _executed(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._metrics.completed.add(1)
        self._place_freed.set()

    async def _wait_for_a_place(self) -> None:
        self._place_freed.clear()
        try:
            async with asyncio.timeout(self._policy.poll_every.total_seconds()):
                await self._place_freed.wait()
        except TimeoutError:
            return

    async def _wait_for_work(self) -> None:
        """Until told that there may be some, and no more often than every two milliseconds."""
        try:
            async with asyncio.timeout(self._policy.poll_every.total_seconds()):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_DAMP_SECONDS if self._tasks else 0)

    async def _drain(self) -> None:
        pending = set(self._tasks)
        if pending:
            _log.info("draining", runs=len(pending))
            _, pending = await asyncio.wait(pending, timeout=self._policy.drain_for.total_seconds())
        for task in pending:
            task.cancel()
        await self._recorder.drain()
        if not pending:
            await self._presence.leave()
