"""What the living do for the dead (behaviour 4.6, 8.4 #1 and #2; D1, D2).

A worker is gone when its session lock is free at two looks a second apart, or
when it has not extended its lease for `stale_after`. Both looks must be made in
one session: whatever ended ours may have ended theirs. When PostgreSQL itself
has started lately, every lock was lost with it, and a worker is given the time
it needs to come back (`return_within`) while PostgreSQL is up, in however many
pieces: a server that crashes again and again holds nobody up for ever. A worker
that comes back extends its lease, and whatever was counted against it is void.
Runs it had not sent go back to the queue as they were; runs that were being
executed are tried again if attempts are left, and `crashed` otherwise.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from strait_server.base.clock import monotonic
from strait_server.base.db.connection import Connection
from strait_server.work.dispatch.service import verdicts
from strait_server.work.jobs.service.definitions import Definition, Definitions
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import Finished, Returned, Status
from strait_server.work.workers import store
from strait_server.work.workers.model import Absent, Lost, Policy
from strait_server.work.workers.rules.absence import Away, after_look, is_gone

LOOK_EVERY: Final = timedelta(seconds=0.6)
_log = structlog.get_logger(__name__)


class Recovery:
    """The rescuer of one process; `step` belongs to the leader's loops."""

    def __init__(self, definitions: Definitions, policy: Policy) -> None:
        self._definitions = definitions
        self._policy = policy
        self._away: dict[Absent, Away] = {}
        self._session: object = None
        self._looked_at = 0.0
        self._orphans_at = 0.0

    async def step(self, db: Connection) -> int:
        """Rescue the runs of workers that are surely gone. Answers how many runs."""
        rescued = 0
        for worker_id in await self._gone(db):
            rescued += await self._rescue(db, worker_id)
        if monotonic() >= self._orphans_at:
            rescued += await self._rescue_orphans(db)
            self._orphans_at = monotonic() + self._policy.stale_after.total_seconds() / 3
        return rescued

    async def _gone(self, db: Connection) -> list[UUID]:
        """Look who is away, and tell who has been for too long."""
        uptime = await store.uptime(db)
        absent = await store.absent(db)
        now = monotonic()
        self._away = after_look(
            self._away,
            absent,
            passed=now - self._looked_at,
            uptime=uptime,
            same_session=db.raw is self._session,
        )
        self._session, self._looked_at = db.raw, now
        return_within = self._policy.return_within.total_seconds()
        return [
            one.id
            for one, away in self._away.items()
            if is_gone(away, uptime=uptime, return_within=return_within)
        ]

    async def _rescue(self, db: Connection, worker_id: UUID) -> int:
        async with db.transaction():
            if not await store.take(db, worker_id):
                return 0
            rescued = await self._take_back(db, worker_id)
            await store.remove(db, worker_id)
        _log.warning("worker gone, its runs rescued", worker_id=str(worker_id), runs=rescued)
        return rescued

    async def _rescue_orphans(self, db: Connection) -> int:
        """Rescue what was claimed for workers after they had been removed.

        They are looked for so often that none waits longer than `stale_after`.
        """
        seconds = self._policy.stale_after.total_seconds() * 2 / 3
        rescued = 0
        for worker_id in await store.orphans(db, seconds=seconds):
            async with db.transaction():
                rescued += await self._take_back(db, worker_id)
            _log.warning("orphaned leases dissolved", worker_id=str(worker_id))
        return rescued

    async def _take_back(self, db: Connection, worker_id: UUID) -> int:
        """Settle the runs under a worker's leases, and end those. Answers how many runs."""
        rescued = 0
        while lost := await store.lost(db, worker_id):
            await self._settle(db, lost)
            rescued += len(lost)
        await store.drop_leases(db, worker_id)
        return rescued

    async def _settle(self, db: Connection, lost: list[Lost]) -> None:
        finished: list[Finished] = []
        returned: list[Returned] = []
        for run in lost:
            definition = await self._definitions.by_id(run.job_id)
            match settled(run, definition):
                case Finished() as final:
                    finished.append(final)
                case Returned() as back:
                    returned.append(back)
        if finished:
            await queue.finish(db, finished)
        if returned:
            await queue.requeue(db, returned, worth=self._policy.worth)


def settled(run: Lost, definition: Definition | None) -> Finished | Returned:
    """Never sent: back to where it was. Being executed: as after any failed attempt."""
    if definition is None:
        return verdicts.system_failed(run, "job not found")
    if run.status is not Status.EXECUTING:
        return verdicts.put_back(run, definition)
    outcome = verdicts.after_loss(run, definition)
    return verdicts.record(run, definition, outcome)
