"""What happens by itself: steps, how often, and by how many processes.

A step does one bounded batch and answers how much it did; the runner waits
only when there was nothing to do. A step is safe to run twice at once; those
marked `alone` run on one process at a time all the same, to spare the others
the work: whoever holds the advisory lock leads. The lock, the check and the
work use one pinned connection, so losing it ends the leadership (T82).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import asyncpg
import structlog
from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Database

_LEADER_LOCK: Final = 0x5374726169745265  # "StraitRe"
_AFTER_FAILURE: Final = 1.0
_log = structlog.get_logger(__name__)


class Loop(Struct, frozen=True, kw_only=True):
    """A step and its period. `alone`: on the leading process only."""

    name: str
    step: Callable[[Connection], Awaitable[int]]
    every: timedelta
    alone: bool = True
    wake: asyncio.Event | None = None


class Runner:
    """Runs loops until cancelled. A step that raises is logged, counted and tried again (T125)."""

    def __init__(
        self,
        database: Database,
        loops: Sequence[Loop],
        *,
        restarted: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._loops = loops
        self._restarted = restarted

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lead())
            for loop in self._loops:
                if not loop.alone:
                    group.create_task(self._serve(loop))

    async def _serve(self, loop: Loop) -> None:
        while True:
            try:
                async with self._database.connection() as db:
                    busy = await self._turn(loop, db)
            except Exception:
                self._note(loop.name)
                await asyncio.sleep(_AFTER_FAILURE)
                continue
            if not busy:
                await _pause(loop)

    async def _lead(self) -> None:
        while True:
            try:
                await self._lead_while_connected()
            except Exception:
                self._note("leader")
            await asyncio.sleep(_AFTER_FAILURE)

    async def _lead_while_connected(self) -> None:
        raw = await self._database.dedicated()
        try:
            while not await raw.fetchval("select pg_try_advisory_lock($1)", _LEADER_LOCK):
                await asyncio.sleep(_AFTER_FAILURE)
            _log.info("leading", loops=[loop.name for loop in self._loops if loop.alone])
            turn = asyncio.Lock()  # the steps share the connection that holds the lock
            async with asyncio.TaskGroup() as group:
                for loop in self._loops:
                    if loop.alone:
                        group.create_task(self._lead_one(loop, raw, turn))
        finally:
            raw.terminate()

    async def _lead_one(self, loop: Loop, raw: asyncpg.Connection, turn: asyncio.Lock) -> None:
        while True:
            busy = False
            async with turn:
                if raw.is_closed():
                    raise ConnectionError("the leader's connection is gone")
                try:
                    busy = await self._turn(loop, Connection(raw))
                except Exception:
                    if raw.is_closed():
                        raise
                    self._note(loop.name)
            if not busy:
                await _pause(loop)

    async def _turn(self, loop: Loop, db: Connection) -> bool:
        """Take up to ten steps, and tell whether there is more: no loop starves the others."""
        if loop.wake is not None:
            loop.wake.clear()
        for _ in range(10):
            if not await loop.step(db):
                return False
        return True

    def _note(self, name: str) -> None:
        _log.exception("loop failed", loop=name)
        self._restarted(name)


async def _pause(loop: Loop) -> None:
    seconds = loop.every.total_seconds()
    if loop.wake is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await loop.wake.wait()
    except TimeoutError:
        return
