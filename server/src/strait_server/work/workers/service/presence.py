"""Being seen alive: a session lock for sudden death, a heartbeat for a slow one."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog

from strait_server.base import ids
from strait_server.base.clock import monotonic
from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Database
from strait_server.base.db.outage import FAILURES
from strait_server.work.workers import store
from strait_server.work.workers.model import Policy

_RETRY_SECONDS: Final = 0.5
_LEAST_PATIENCE: Final = 1.0
_log = structlog.get_logger(__name__)


class Presence:
    """A worker's name, as long as it is believed to be alive.

    The lock goes with the connection, so a lost connection is replaced at
    once, before anybody has looked twice; the heartbeat vouches for the worker
    until the new one has the lock. When it is declared dead all the same (a
    partition, a long pause), it goes on under a new name, and `renamed` is
    called: what it had in hand belongs to others now, and its reports of it
    will be refused.
    """

    def __init__(self, database: Database, policy: Policy, *, renamed: Callable[[], None]) -> None:
        self._database = database
        self._policy = policy
        self._renamed = renamed
        self._gone = False
        self._vouched_until = 0.0
        self.worker_id: UUID | None = None
        self.ready: Final = asyncio.Event()

    @property
    def name(self) -> UUID | None:
        """The worker to claim for. None when nothing vouches for it any more.

        A process that hung may have been declared dead: what it claimed now would
        belong to nobody. It asks first, with its next heartbeat.
        """
        return self.worker_id if monotonic() < self._vouched_until else None

    async def run(self) -> None:
        """Hold the lock and send heartbeats until cancelled."""
        while not self._gone:
            try:
                await self._be_present()
            except FAILURES as error:
                _log.warning(
                    "presence interrupted", worker_id=str(self.worker_id), error=str(error)
                )
                await asyncio.sleep(_RETRY_SECONDS)

    async def leave(self) -> None:
        """Sign off, when nothing is in hand any more."""
        self._gone = True
        if self.worker_id is None:
            return
        async with self._database.connection() as db:
            await store.deregister(db, self.worker_id)

    async def _be_present(self) -> None:
        """Until the connection is lost."""
        # A beat that is not answered leaves a third of the lease for another connection.
        patience = self._policy.stale_after.total_seconds() / 3
        raw = await self._database.dedicated(patience=max(patience, _LEAST_PATIENCE))
        lost = asyncio.Event()

        def notice(_: object) -> None:
            lost.set()

        raw.add_termination_listener(notice)
        try:
            while not (lost.is_set() or self._gone):
                locked = await self._beat(Connection(raw))
                pause = self._policy.heartbeat_every.total_seconds() if locked else _RETRY_SECONDS
                try:
                    async with asyncio.timeout(pause):
                        await lost.wait()
                except TimeoutError:
                    continue
        finally:
            raw.terminate()

    async def _beat(self, db: Connection) -> bool:
        """Say that the worker lives. False: a former session still has its lock."""
        lease_seconds = self._policy.stale_after.total_seconds()
        vouched_until = monotonic() + lease_seconds
        if self.worker_id is not None:
            locked = await store.lock(db, _lock_id(self.worker_id))
            alive = await store.heartbeat(db, self.worker_id, lease_seconds=lease_seconds)
            if alive or self._gone:
                self._vouched_until = vouched_until
                return locked
            self._vouched_until = 0.0
            self._renamed()
        worker_id = ids.new_id()
        await store.lock(db, _lock_id(worker_id))
        await store.register(
            db,
            worker_id,
            lock_id=_lock_id(worker_id),
            host=socket.gethostname(),
            pid=os.getpid(),
            concurrency=self._policy.concurrency,
            lease_seconds=lease_seconds,
        )
        self.worker_id, self._vouched_until = worker_id, vouched_until
        self.ready.set()
        _log.info("worker registered", worker_id=str(worker_id))
        return True


def _lock_id(worker_id: UUID) -> int:
    """Make a lock number that fits a bigint: the random half of the id."""
    return worker_id.int & 0x3FFF_FFFF_FFFF_FFFF
