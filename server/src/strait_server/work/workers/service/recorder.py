"""Writing down what happens to claimed runs, in batches.

A start waits a few milliseconds before it is written: most endpoints have
answered by then, and start and finish become one write. Outcomes are written
as fast as the database takes them, together with the leases that end with
them. While the database is away, they wait for it: an outcome that is known is
never forgotten as long as the process lives (T23q).
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypeAlias
from uuid import UUID

import structlog

from strait_server.base.clock import monotonic
from strait_server.base.db.coalescer import Coalescer
from strait_server.base.db.database import Line
from strait_server.base.db.outage import is_outage
from strait_server.base.telemetry.metrics import Metrics
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import ClaimedRun, Finished, Returned, Started

Report: TypeAlias = Finished | Returned
_START_LINGER: Final = 0.01
_OUTAGE_PAUSE: Final = 0.25
_BATCH: Final = 500
_log = structlog.get_logger(__name__)


class Recorder:
    """The records of one worker. `run` writes them."""

    def __init__(self, starts: Line, outcomes: Line, metrics: Metrics, *, worth: int) -> None:
        self._starts_line = starts
        self._outcomes_line = outcomes
        self._metrics = metrics
        self._worth = worth
        self._starts: dict[UUID, tuple[ClaimedRun, float]] = {}
        self._started = asyncio.Event()
        self._left_in_lease: Counter[int] = Counter()
        self._abandoned: set[int] = set()
        self._outcomes: Coalescer[Report, bool] = Coalescer(
            self._write, limit=_BATCH, name="outcomes"
        )

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._outcomes.run())
            group.create_task(self._write_starts())

    async def drain(self) -> None:
        """Wait until every outcome reported so far is committed."""
        await self._outcomes.drain()

    def leased(self, runs: Iterable[ClaimedRun]) -> None:
        """Learn that runs were claimed, under their leases."""
        self._left_in_lease.update(run.lease_id or 0 for run in runs)

    def abandon(self) -> None:
        """Give up the leases: somebody else has taken the runs."""
        self._abandoned.update(self._left_in_lease)
        self._left_in_lease.clear()
        self._starts.clear()

    def start(self, run: ClaimedRun, at: float) -> None:
        """Note that the endpoint is being called; `at` is monotonic."""
        self._starts[run.id] = run, at
        self._started.set()

    def report(self, report: Report) -> asyncio.Future[bool]:
        """Have an outcome written. The future tells whether it counted, or came too late."""
        self._starts.pop(report.id, None)
        return self._outcomes.submit(report)

    async def _write_starts(self) -> None:
        while True:
            await self._started.wait()
            await asyncio.sleep(_START_LINGER)
            self._started.clear()
            starts, self._starts = self._starts, {}
            if not starts:
                continue
            try:
                async with self._starts_line.connection() as db:
                    await queue.start(db, _started(starts.values(), monotonic()))
            except Exception:  # noqa: BLE001 - the outcome will record the start, too
                _log.exception("starts not recorded", runs=len(starts))

    async def _write(self, reports: Sequence[Report]) -> list[bool | Exception]:
        ended = self._count_down(reports)
        finished = [report for report in reports if isinstance(report, Finished)]
        returned = [report for report in reports if isinstance(report, Returned)]
        while True:
            try:
                late = await self._write_once(finished, returned, ended)
            except Exception as error:
                if not is_outage(error):
                    self._count_up(reports)
                    raise
                _log.warning("database away, outcomes wait", runs=len(reports))
                await asyncio.sleep(_OUTAGE_PAUSE)
                continue
            self._count(reports, late)
            return [report.id not in late for report in reports]

    async def _write_once(
        self, finished: Sequence[Finished], returned: Sequence[Returned], ended: Sequence[int]
    ) -> set[UUID]:
        async with self._outcomes_line.connection() as db:
            if not returned:
                return await queue.finish(db, finished, ended_lease_ids=ended)
            if not finished:
                return await queue.requeue(db, returned, worth=self._worth, ended_lease_ids=ended)
            async with db.transaction():
                late = await queue.finish(db, finished)
                return late | await queue.requeue(
                    db, returned, worth=self._worth, ended_lease_ids=ended
                )

    def _count_down(self, reports: Sequence[Report]) -> list[int]:
        ended: list[int] = []
        for report in reports:
            if report.lease_id in self._abandoned:
                continue
            self._left_in_lease[report.lease_id] -= 1
            if self._left_in_lease[report.lease_id] <= 0:
                del self._left_in_lease[report.lease_id]
                ended.append(report.lease_id)
        return ended

    def _count(self, reports: Sequence[Report], late: Collection[UUID]) -> None:
        runs = self._metrics.runs
        moves: Counter[tuple[str, str]] = Counter()
        seconds: dict[str, list[float]] = {}
        for report in reports:
            if report.id in late:
                continue
            source = "dequeued"
            if report.age_micros is not None:
                moves["dequeued", "executing"] += 1
                source = "executing"
            if isinstance(report, Returned):
                moves[source, "queued"] += 1
                runs.snoozes.add(report.reason == "snooze")
                continue
            moves[source, report.status] += 1
            seconds.setdefault(report.status, []).append((report.age_micros or 0) / 1_000_000)
        for (source, target), count in moves.items():
            runs.transitions.add(count, source, target)
        for status, durations in seconds.items():
            runs.duration.observe(durations, status)

    def _count_up(self, reports: Sequence[Report]) -> None:
        for report in reports:
            self._left_in_lease[report.lease_id] += 1


def _started(starts: Iterable[tuple[ClaimedRun, float]], now: float) -> list[Started]:
    return [
        Started(
            id=run.id,
            attempt=run.attempt,
            lease_id=run.lease_id or 0,
            age_micros=int((now - at) * 1_000_000),
        )
        for run, at in starts
    ]
