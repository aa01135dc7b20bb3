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
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from strait_server.base.clock import monotonic
from strait_server.base.cron import Cron
from strait_server.base.db.outage import is_outage
from strait_server.base.errors import Unavailable
from strait_server.base.telemetry.metrics import Metrics
from strait_server.work.dispatch.model import Completed, Snooze
from strait_server.work.dispatch.service import verdicts
from strait_server.work.dispatch.service.dispatcher import Dispatcher, Sent
from strait_server.work.dispatch.service.notes import notes_of
from strait_server.work.dispatch.service.provisions import Provision
from strait_server.work.jobs.service.definitions import Definition, Definitions
from strait_server.work.queue.model import ClaimedRun, Finished, Returned
from strait_server.work.workers.model import Concurrency, Policy
from strait_server.work.workers.rules.window import seconds_until_open
from strait_server.work.workers.service.claimer import Claimer
from strait_server.work.workers.service.presence import Presence
from strait_server.work.workers.service.recorder import Recorder
from strait_server.work.workers.service.recovery import settled

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAMP_SECONDS: Final = 0.002
_PATIENCE: Final = 0.02
_OUTAGE_PAUSE: Final = 0.5
_LAST_WRITES_SECONDS: Final = 5.0
_MOST_UNWRITTEN: Final = 3  # times the concurrency
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
        self._anomalies = metrics.runs.latency_anomalies
        self._policy = policy
        self._pace = Concurrency(limit=_first_limit(policy))
        self._lanes: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[tuple[ClaimedRun, float]]] = []
        self._busy = 0
        self._sending = 0
        self._wake = asyncio.Event()
        self._place_freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._look_at = monotonic()
        self._look_pause = policy.stale_after.total_seconds()
        self._recorder.tell(self._place_freed.set)
        self._metrics.running.follow(lambda: self._busy)
        self._metrics.waiting.follow(lambda: self._busy - self._sending)

    @property
    def in_flight(self) -> int:
        """How many runs are on their way to an outcome."""
        return self._busy

    @property
    def pace(self) -> Concurrency:
        """How many runs may be in flight."""
        return self._pace

    @property
    def _unfinished(self) -> int:
        return self._busy + self._recorder.unwritten

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
        self._presence.ready.set()  # nobody need be any more
        self._wake.set()
        self._place_freed.set()

    async def run(self) -> None:
        """Claim and execute until told to stop, then drain."""
        await self._presence.ready.wait()
        while not self._stopping.is_set():
            try:
                await self._claim_and_wait()
            except Exception as error:  # noqa: BLE001 - whatever it was, others will be claimed
                if not is_outage(error):
                    _log.exception("claim failed")
                # It may have been committed all the same, or be so in a while.
                self._look_at, self._look_pause = monotonic(), _OUTAGE_PAUSE
                await asyncio.sleep(_OUTAGE_PAUSE)
        await self._drain()

    async def _claim_and_wait(self) -> None:
        """Claim once, and return when it is time to claim again."""
        if monotonic() >= self._look_at:
            await self._take_back_strays()
            return
        limit = self._pace.limit
        # A place is free when the outcome is known; how many of those may wait to
        # be written is bounded, too.
        free = min(limit - self._busy, _MOST_UNWRITTEN * limit - self._unfinished)
        if free <= 0 or self._claimer.is_short_of_memory():
            await self._wait_for_a_place(self._longest_wait())
            return
        size = self._claimer.size(free, limit)
        if size == 0:
            if await self._wait_for_a_place(_PATIENCE) or self._stopping.is_set():
                return
            size = self._claimer.size(free, limit, patient=False)
        self._wake.clear()
        self._take_on(await self._claimer.claim(size))
        if not self._claimer.backlog:
            await self._wait_for_work()

    def _take_on(self, claimed: Sequence[ClaimedRun]) -> None:
        now = monotonic()
        leased = [run for run in claimed if run.lease_id is not None]
        self._recorder.leased(leased)
        self._busy += len(leased)
        for run in leased:
            self._hand_over(run, now)
        self._metrics.submitted.add(len(leased))

    def _hand_over(self, run: ClaimedRun, claimed: float) -> None:
        """Give a run to a lane that has nothing to do, or to a new one."""
        if self._idle:
            self._idle.pop().set_result((run, claimed))
            return
        lane = asyncio.get_running_loop().create_task(self._execute(run, claimed))
        self._lanes.add(lane)
        lane.add_done_callback(self._lanes.discard)

    async def _take_back_strays(self) -> None:
        """Return runs that were claimed for us and never arrived; nobody else would.

        Nothing is being claimed meanwhile: a lease that is not known went astray. A
        claim that was given up may be committed later, so looks are close at first.
        """
        self._look_at = monotonic() + self._look_pause
        self._look_pause = min(2 * self._look_pause, self._policy.stale_after.total_seconds())
        strays = await self._claimer.strays(self._recorder.leases)
        if not strays:
            return
        _log.warning("claims had gone astray", runs=len(strays))
        definitions = [await self._definitions.by_id(run.job_id) for run in strays]
        self._recorder.leased(strays)
        for report in map(settled, strays, definitions):
            self._recorder.report(report)

    async def _execute(self, run: ClaimedRun, claimed: float) -> None:
        """Take one run after the other to an outcome, whatever happens, and have it recorded.

        Such a lane spares a task for each run.
        """
        new_future = asyncio.get_running_loop().create_future
        while True:
            try:
                report = await self._reach_outcome(run, claimed)
            finally:
                self._busy -= 1
                self._place_freed.set()
            if report is not None:
                self._recorder.report(report)
            self._metrics.completed.add(1)
            given = new_future()
            self._idle.append(given)
            run, claimed = await given

    async def _reach_outcome(self, run: ClaimedRun, claimed: float) -> Finished | Returned | None:
        """Return what is to be recorded; None when the run has become somebody else's."""
        while True:
            try:
                return await self._outcome(run, claimed)
            except Unavailable:
                # Nothing was sent, and nothing could be recorded: wait for the database.
                await asyncio.sleep(_OUTAGE_PAUSE)
                if self._recorder.has_abandoned(run):
                    return None
            except Exception as error:  # noqa: BLE001 - whatever it was, others will be claimed
                _log.exception("execution failed", run_id=str(run.id), job_id=str(run.job_id))
                return verdicts.system_failed(run, f"panic: {type(error).__name__}")

    async def _outcome(self, run: ClaimedRun, claimed: float) -> Finished | Returned:
        """Raise `Unavailable` only for runs that were not sent."""
        definition = self._definitions.kept(run.job_id, revision=run.job_revision)
        if definition is None:
            definition = await self._definitions.by_id(run.job_id, revision=run.job_revision)
        if definition is None:
            return verdicts.system_failed(run, "job not found")
        if self._stopping.is_set() or definition.job.paused or not definition.job.enabled:
            return verdicts.put_back(run, definition)
        if definition.window is not None:
            held_back = _outside_window(run, definition, definition.window, claimed)
            if held_back is not None:
                return held_back
        admitted = await self._dispatcher.admit(run, definition)
        if not isinstance(admitted, Provision):
            snoozes = notes_of(run).snooze_count if isinstance(admitted, Snooze) else 0
            return verdicts.record(run, definition, admitted, snoozes=snoozes)
        self._sending += 1
        try:
            self._recorder.start(run, monotonic())
            sent = await self._dispatcher.send(run, admitted, claimed=claimed)
        finally:
            self._sending -= 1
            self._dispatcher.leave(run.job_id)
        return self._after_sending(run, definition, sent)

    def _after_sending(
        self, run: ClaimedRun, definition: Definition, sent: Sent
    ) -> Finished | Returned:
        if sent.slow:
            self._anomalies.add(1, str(run.job_id))
        succeeded = isinstance(sent.outcome, Completed)
        return verdicts.record(
            run,
            definition,
            sent.outcome,
            age_micros=int((monotonic() - sent.started) * 1_000_000),
            trace=sent.trace,
            snoozes=0 if succeeded else notes_of(run).snooze_count,
        )

    def _longest_wait(self) -> float:
        """How long nothing need be done, in seconds."""
        return min(self._policy.poll_every.total_seconds(), max(0.0, self._look_at - monotonic()))

    async def _wait_for_a_place(self, seconds: float) -> bool:
        """Wait for so long. Whether there is one more."""
        self._place_freed.clear()
        try:
            async with asyncio.timeout(seconds):
                return await self._place_freed.wait()
        except TimeoutError:
            return False

    async def _wait_for_work(self) -> None:
        """Until told that there may be some, and no more often than every two milliseconds."""
        try:
            async with asyncio.timeout(self._longest_wait()):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_DAMP_SECONDS if self._unfinished else 0)

    async def _drain(self) -> None:
        """Finish what was sent. What takes longer is left to whoever recovers it (D19)."""
        if self._busy:
            _log.info("draining", runs=self._busy)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._policy.drain_for.total_seconds()):
                await self._at_rest()
        left = self._busy
        if left:
            _log.warning("drain time over, runs left to recovery", runs=left)
        for lane in self._lanes:
            lane.cancel()
        if self._lanes:
            await asyncio.wait(self._lanes, timeout=_LAST_WRITES_SECONDS)
        try:
            async with asyncio.timeout(_LAST_WRITES_SECONDS):
                await self._recorder.drain()
                if not left:
                    await self._presence.leave()
        except (TimeoutError, Unavailable):
            _log.warning("the database is away, the worker leaves without a word")

    async def _at_rest(self) -> None:
        """Wait until every run in hand has an outcome, and every outcome is written."""
        while self._busy:
            self._place_freed.clear()
            await self._place_freed.wait()
        await self._recorder.drain()


def _first_limit(policy: Policy) -> int:
    """Begin within the bounds that the concurrency will keep to (behaviour 14.2)."""
    if policy.adaptive_bounds is None:
        return policy.concurrency
    lowest, highest = policy.adaptive_bounds
    return min(max(policy.concurrency, lowest), highest)


def _outside_window(
    run: ClaimedRun, definition: Definition, window: Cron, claimed: float
) -> Finished | Returned | None:
    """Send a run back until its window opens; None while it is open (T11).

    What time it is, the database said with the claim; only what has passed
    since is measured here (D25).
    """
    now = _EPOCH + timedelta(microseconds=run.micros, seconds=monotonic() - claimed)
    wait = seconds_until_open(window, definition.zone, now=now)
    if wait is None:
        return verdicts.system_failed(run, "the execution window does not open any more")
    return verdicts.put_back(run, definition, delay=wait, reason="window") if wait else None
