"""Taking runs out of the queue: how many, of which project, from where on."""

import os
from collections.abc import Collection, Sequence
from typing import Final

import structlog

from strait_server.base.clock import monotonic
from strait_server.base.db.database import Line
from strait_server.base.telemetry.metrics import Metrics
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import Appetite, ClaimedRun
from strait_server.work.workers import store
from strait_server.work.workers.model import Lost, Policy
from strait_server.work.workers.rules.appetite import claim_size, is_short_of_memory
from strait_server.work.workers.rules.watermark import Watermark
from strait_server.work.workers.service.presence import Presence

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MEMORY: Final = _PAGE * os.sysconf("SC_PHYS_PAGES")
_log = structlog.get_logger(__name__)


class Claimer:
    """The claims of one worker. `backlog`: the last one left something for the next."""

    def __init__(self, line: Line, presence: Presence, policy: Policy, metrics: Metrics) -> None:
        self._line = line
        self._presence = presence
        self._policy = policy
        self._metrics = metrics
        self._cycle: Sequence[str | None] = policy.partitions or (None,)
        self._turn = 0
        self._watermarks: dict[str | None, Watermark] = {}
        self.backlog = False

    def size(self, free: int, concurrency: int, *, patient: bool = True) -> int:
        """How many to claim into `free` places; 0 to wait for more of them, if one can."""
        return claim_size(
            free=free,
            concurrency=concurrency,
            backlog=self.backlog and patient,
            sizes=queue.CLAIM_SIZES,
            at_most=self._policy.largest_claim,
        )

    def is_short_of_memory(self) -> bool:
        """Say whether so much is in use that nothing should be claimed (behaviour 2.4)."""
        threshold = self._policy.memory_threshold_pct
        if not threshold:
            return False
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - hot enough
            resident = int(statm.read().split()[1]) * _PAGE
        if not is_short_of_memory(resident, _MEMORY, threshold_pct=threshold):
            return False
        _log.warning("short of memory, nothing claimed", resident_bytes=resident)
        return True

    async def claim(self, size: int) -> list[ClaimedRun]:
        """Claim up to `size` runs, in one turn through the partitions (behaviour 2.3)."""
        claimed: list[ClaimedRun] = []
        self.backlog = False
        for _ in range(len(self._cycle)):
            project_id = self._cycle[self._turn]
            fits = max((one for one in queue.CLAIM_SIZES if one <= size - len(claimed)), default=0)
            if fits == 0:
                self.backlog = True
                break
            self._turn = (self._turn + 1) % len(self._cycle)
            taken = await self._claim_of(project_id, fits)
            # A fair claim takes one run of each job: only an empty one says that it was all.
            self.backlog |= bool(taken) if self._policy.fairly else len(taken) == fits
            claimed += taken
        return claimed

    async def strays(self, known: Collection[int]) -> list[Lost]:
        """Find runs that are leased to this worker without its knowledge.

        The claim was committed, but its answer was lost with the connection.
        """
        worker_id = self._presence.name
        if worker_id is None:
            return []
        async with self._line.connection() as db:
            return await store.strays(db, worker_id, known=list(known))

    async def _claim_of(self, project_id: str | None, size: int) -> list[ClaimedRun]:
        worker_id = self._presence.name
        if worker_id is None:
            return []
        watermark = self._watermarks.setdefault(project_id, Watermark())
        began = monotonic()
        async with self._line.connection() as db:
            claimed = await queue.claim(
                db,
                worker_id,
                Appetite(size=size, project_id=project_id, fairly=self._policy.fairly),
                floors=watermark.floors(at=began),
                worth=self._policy.worth,
            )
        self._metrics.queue.claim_duration.observe((monotonic() - began,))
        if claimed:
            self._learn(watermark, claimed)
        return claimed

    def _learn(self, watermark: Watermark, claimed: Sequence[ClaimedRun]) -> None:
        # A fair claim passes over entries that are older than those it takes.
        if not self._policy.fairly:
            watermark.claimed(
                ((run.priority, run.ord) for run in claimed), now_micros=claimed[0].micros
            )
        expired = sum(run.lease_id is None for run in claimed)
        self._metrics.runs.transitions.add(len(claimed) - expired, "queued", "dequeued")
        if expired:
            self._metrics.runs.transitions.add(expired, "queued", "expired")
