"""Writing down what happens to claimed runs, in batches.

A start waits a few milliseconds before it is written: most endpoints have
answered by then, and start and finish become one write. Outcomes are written
as fast as the database takes them, together with the leases that end with
them. While the database is away, they wait for it: what is known is never
forgotten as long as the process lives (T23q).

Starts and outcomes travel on lines of their own and may name the same rows.
Both are written in the order of the runs' ids, so that neither waits for a row
while it holds one that the other waits for.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias
from uuid import UUID

import asyncpg
import structlog

from strait_server.base.clock import monotonic
from strait_server.base.db.coalescer import Coalescer
from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Line
from strait_server.base.db.outage import is_outage
from strait_server.base.telemetry.metrics import Metrics
from strait_server.work.dispatch.service import verdicts
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import ClaimedRun, Finished, Returned, Started, Status
from strait_server.work.workers.model import Lost

Report: TypeAlias = Finished | Returned
_START_LINGER: Final = 0.025
_OUTAGE_PAUSE: Final = 0.25
_BATCH: Final = 500
_NOT_RECORDED: Final = "the outcome cannot be recorded"
_PASSING: Final = (
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""The database refused for reasons of its own: a deadlock, a full disk, a fail-over."""
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
        self._told: Callable[[], None] | None = None
        self._outcomes: Coalescer[Report, None] = Coalescer(
            self._write, refused=self._refused, limit=_BATCH
        )

    @property
    def leases(self) -> Collection[int]:
        """The leases of which not every outcome is committed."""
        return self._left_in_lease.keys()

    @property
    def unwritten(self) -> int:
        """How many outcomes are not committed."""
        return len(self._outcomes)

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._get_ready())
            group.create_task(self._outcomes.run())
            group.create_task(self._write_starts())

    async def drain(self) -> None:
        """Wait until every outcome reported so far is committed."""
        await self._outcomes.drain()

    def leased(self, runs: Iterable[ClaimedRun | Lost]) -> None:
        """Learn that runs were claimed, under their leases."""
        self._left_in_lease.update(run.lease_id or 0 for run in runs)

    def abandon(self) -> None:
        """Give up the leases: somebody else has taken the runs."""
        self._abandoned.update(self._left_in_lease)
        self._left_in_lease.clear()
        self._starts.clear()

    def tell(self, told: Callable[[], None]) -> None:
        """Have somebody told whenever outcomes have been written."""
        self._told = told

    def has_abandoned(self, run: ClaimedRun) -> bool:
        return run.lease_id in self._abandoned

    def start(self, run: ClaimedRun, at: float) -> None:
        """Note that the endpoint is being called; `at` is monotonic."""
        self._starts[run.id] = run, at
        self._started.set()

    def report(self, report: Report) -> None:
        """Have an outcome written. One that comes too late changes nothing."""
        self._starts.pop(report.id, None)
        self._outcomes.put(report)

    async def _get_ready(self) -> None:
        """Open the lines and have the plans made, by writing nothing: so the first are not slow."""
        with suppress(Exception):  # whoever writes next waits for the database, and says so
            async with self._outcomes_line.connection() as db:
                await queue.finish(db, [])
            async with self._starts_line.connection() as db:
                await queue.start(db, [])

    async def _write_starts(self) -> None:
        while True:
            await self._started.wait()
            await asyncio.sleep(_START_LINGER)
            self._started.clear()
            starts = sorted(self._starts.values(), key=_of_start)
            if not starts:
                continue
            try:
                async with self._starts_line.connection() as db:
                    await queue.start(db, _started(starts, monotonic()))
            except Exception as error:  # noqa: BLE001 - whoever is slow is started all the same
                _log.warning("starts wait for the database", runs=len(starts), error=repr(error))
                await asyncio.sleep(_OUTAGE_PAUSE)
                self._started.set()
                continue
            for start in starts:
                run, _ = start
                if self._starts.get(run.id) is start:
                    del self._starts[run.id]

    async def _write(self, reports: Sequence[Report]) -> list[Exception | None]:
        ended = self._count_down(reports)
        ordered = sorted(reports, key=_of_report)
        finished = [report for report in ordered if isinstance(report, Finished)]
        returned = [report for report in ordered if isinstance(report, Returned)]
        late: set[UUID] = set()
        # Leases end with the second write: until then they name the runs it is about.
        ended_first = [] if returned else ended
        try:
            if finished:
                late |= await self._insist(
                    lambda db: queue.finish(db, finished, ended_lease_ids=ended_first)
                )
            if returned:
                late |= await self._insist(
                    lambda db: queue.requeue(db, returned, worth=self._worth, ended_lease_ids=ended)
                )
        except Exception:
            self._count_up(reports)
            raise
        for lease_id in ended:
            self._left_in_lease.pop(lease_id, None)
        self._count(finished, returned, late)
        if self._told is not None:
            self._told()
        return [None] * len(reports)

    def _refused(self, report: Report, error: Exception) -> None:
        """Record at least that a run failed whose outcome the database does not take."""
        reason = type(error).__name__  # not its text: PostgreSQL may quote the result in it
        if report.error == _NOT_RECORDED:
            _log.error("run left to recovery", run_id=str(report.id), reason=reason)
            return
        _log.error("outcome not recorded", run_id=str(report.id), reason=reason)
        self._outcomes.put(verdicts.system_failed(report, _NOT_RECORDED))

    async def _insist(self, write: Callable[[Connection], Awaitable[set[UUID]]]) -> set[UUID]:
        """Write, however long the database takes to come back."""
        while True:
            try:
                async with self._outcomes_line.connection() as db:
                    return await write(db)
            except Exception as error:
                if not _passes(error):
                    raise
                _log.warning("outcomes wait for the database", error=repr(error))
                await asyncio.sleep(_OUTAGE_PAUSE)

    def _count_down(self, reports: Sequence[Report]) -> list[int]:
        """Take reports off their leases. Answer the leases that end with them."""
        lease_ids = [r.lease_id for r in reports if r.lease_id not in self._abandoned]
        self._left_in_lease.subtract(lease_ids)
        return [one for one in dict.fromkeys(lease_ids) if self._left_in_lease[one] <= 0]

    def _count_up(self, reports: Sequence[Report]) -> None:
        self._left_in_lease.update(r.lease_id for r in reports if r.lease_id not in self._abandoned)

    def _count(
        self, finished: Sequence[Finished], returned: Sequence[Returned], late: Collection[UUID]
    ) -> None:
        runs, worker = self._metrics.runs, self._metrics.worker
        ages: defaultdict[tuple[Status, bool], list[int]] = defaultdict(list)
        for one in finished:
            if one.id not in late:
                ages[one.status, one.age_micros is not None].append(one.age_micros or 0)
        for (status, executed), micros in ages.items():
            self._count_moves(len(micros), status, executed=executed)
            runs.duration.observe([age / 1_000_000 for age in micros], status)
            tally = worker.successful if status == Status.COMPLETED else worker.failed
            tally.add(len(micros))
        for back in returned:
            if back.id not in late:
                self._count_moves(1, Status.QUEUED, executed=back.age_micros is not None)
                runs.snoozes.add(back.reason == "snooze")
                worker.dropped.add(back.reason is None)

    def _count_moves(self, count: int, target: Status, *, executed: bool) -> None:
        """Count moves from a claim to `target`, by way of `executing` or not."""
        transitions = self._metrics.runs.transitions
        if executed:
            transitions.add(count, "dequeued", "executing")
        transitions.add(count, "executing" if executed else "dequeued", target)


def _passes(error: Exception) -> bool:
    """Whether the same write can succeed later."""
    return is_outage(error) or isinstance(error, _PASSING)


def _of_start(start: tuple[ClaimedRun, float]) -> int:
    return start[0].id.int


def _of_report(report: Report) -> int:
    return report.id.int


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
