"""How long a job's runs take: a histogram per hour, shared by all workers.

Read for adaptive timeouts and for telling when a run is unusually slow
(behaviour 3.1, 3.4). Buckets grow by a quarter of a power of two, so a
percentile is right to a tenth.
"""

import asyncio
import math
from collections import Counter
from typing import Final
from uuid import UUID

import structlog

from strait_server.base.clock import monotonic
from strait_server.base.db.database import Database
from strait_server.base.errors import Unavailable
from strait_server.work.dispatch import store

_FLUSH_EVERY: Final = 5.0
_KEEP_SECONDS: Final = 60.0
_ENOUGH_RUNS: Final = 20
_CAPACITY: Final = 10_000
_log = structlog.get_logger(__name__)


def bucket_of(milliseconds: float) -> int:
    return round(4 * math.log2(max(milliseconds, 1.0)))


def percentile(counts: list[tuple[int, int]], share: float) -> float | None:
    """Seconds that `share` of the runs stayed within; None for too few to tell.

    `counts` are buckets in ascending order with the runs in each.
    """
    total = sum(runs for _, runs in counts)
    if total < _ENOUGH_RUNS:
        return None
    seen = 0
    for bucket, runs in counts:
        seen += runs
        if seen >= share * total:
            return float(2.0 ** (bucket / 4) / 1000)
    return None


class Durations:
    """What a worker measured and what it knows of 95 in 100 runs. `run` shares it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._measured: Counter[tuple[UUID, int]] = Counter()
        self._p95: dict[UUID, tuple[float, float | None]] = {}
        self._wanted: set[UUID] = set()

    def add(self, job_id: UUID, seconds: float) -> None:
        self._measured[job_id, bucket_of(seconds * 1000)] += 1

    def p95(self, job_id: UUID) -> float | None:
        """Seconds; None when it is not known, or not known yet. Never waits."""
        kept = self._p95.get(job_id)
        if kept is None or kept[0] < monotonic():
            self._wanted.add(job_id)
        return None if kept is None else kept[1]

    async def run(self) -> None:
        """Share and refresh until cancelled."""
        while True:
            await asyncio.sleep(_FLUSH_EVERY)
            try:
                await self.share()
                await self._refresh()
            except Exception:  # noqa: BLE001 - measuring must not stop dispatching
                _log.exception("durations not shared", jobs=len(self._measured))

    async def share(self) -> None:
        """Add what was measured since the last time to the database."""
        if not self._measured:
            return
        measured, self._measured = self._measured, Counter()
        try:
            async with self._database.connection() as db:
                await store.add_durations(
                    db, [(job_id, bucket, runs) for (job_id, bucket), runs in measured.items()]
                )
        except Unavailable:
            self._measured.update(measured)
            raise

    async def _refresh(self) -> None:
        """Read again what was asked for and is not known, or no longer fresh."""
        wanted, self._wanted = self._wanted, set()
        if len(self._p95) > _CAPACITY:
            self._p95.clear()
        for job_id in wanted:
            async with self._database.connection() as db:
                rows = await store.durations(db, job_id)
            p95 = percentile([(row.bucket, row.runs) for row in rows], 0.95)
            self._p95[job_id] = monotonic() + _KEEP_SECONDS, p95
