"""Being seen alive: a session lock for sudden death, a heartbeat for a slow one."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from strait_server.base import ids
from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Database
from strait_server.work.workers import store
from strait_server.work.workers.model import Policy

_RETRY_SECONDS: Final = 0.5
_log = structlog.get_logger(__name__)


class Presence:
    """A worker's name, as long as it is believed to be alive.

    When it is declared dead while it lives (a partition, a long pause), it goes
    on under a new name, and `renamed` is called: what it had in hand belongs
    to others now, and its reports of it will be refused.
    """

    def __init__(self, database: Database, policy: Policy, *, renamed: Callable[[], None]) -> None:
        self._database = database
        self._policy = policy
        self._renamed = renamed
        self.worker_id: UUID | None = None
        self.ready: Final = asyncio.Event()

    async def run(self) -> None:
        """Hold the lock and send heartbeats until cancelled."""
        raw: asyncpg.Connection | None = None
        try:
            while True:
                try:
                    if raw is None or raw.is_closed():
                        raw = await self._database.dedicated()
                    await self._beat(Connection(raw))
                    await asyncio.sleep(self._policy.heartbeat_every.total_seconds())
                except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    _log.warning("presence interrupted", worker_id=str(self.worker_id))
                    if raw is not None:
                        raw.terminate()
                    raw = None
                    await asyncio.sleep(_RETRY_SECONDS)
        finally:
            if raw is not None:
                raw.terminate()

    async def leave(self) -> None:
        """Sign off, when nothing is in hand any more."""
        if self.worker_id is None:
            return
        async with self._database.connection() as db:
            await store.deregister(db, self.worker_id)

    async def _beat(self, db: Connection) -> None:
        lease_seconds = self._policy.stale_after.total_seconds()
        if self.worker_id is not None:
            held = await store.lock(db, _lock_id(self.worker_id))
            if held and await store.heartbeat(db, self.worker_id, lease_seconds=lease_seconds):
                return
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
        self.worker_id = worker_id
        self.ready.set()
        _log.info("worker registered", worker_id=str(worker_id))


def _lock_id(worker_id: UUID) -> int:
    """Make a lock number that fits a bigint: the random half of the id."""
    return worker_id.int & 0x3FFF_FFFF_FFFF_FFFF
