"""What happens by itself: steps, how often, and by how many processes.

A step does one bounded batch and answers how much it did; the runner waits
only when there was nothing to do. A step is safe to run twice at once; those
marked `alone` run on one process at a time all the same, to spare the others
the work: whoever holds the advisory lock leads. The lock, the check and the
work use one pinned connection, so losing it ends the leadership (T82). And
PostgreSQL ends it when the leader has been silent for a while: a process that
hangs, or a machine that is cut off, keeps its connections. After a restart of
PostgreSQL the leader is the first to ask for the lock again, because what it
has seen of the others is in its memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Final

import asyncpg
import structlog
from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Database

_LEADER_LOCK: Final = 0x5374726169745265  # "StraitRe"
_LEAD: Final = "select pg_try_advisory_lock($1)"
_SILENCE_MS: Final = "5000"  # some loop of the leader must take a step more often than that
_LEADING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "idle_session_timeout": _SILENCE_MS,
        "idle_in_transaction_session_timeout": _SILENCE_MS,
    }
)
_AFTER_FAILURE: Final = 1.0
_CANDIDATE_SECONDS: Final = 0.4  # a dead leader's runs are to be rescued within two seconds
_STEPS_PER_TURN: Final = 10
_SHORTEST_REST: Final = 0.01  # what is due and cannot be done yet must not keep us busy
_log = structlog.get_logger(__name__)


class Loop(Struct, frozen=True, kw_only=True):
    """A step and its period. `alone`: on the leading process only.

    A loop that can tell when it is needed next does so in `next_in` (seconds),
    and is woken through `wake` when that changes. What a leader knows is nothing
    that it may go on telling: `forget` is called when the lead is lost.
    """

    name: str
    step: Callable[[Connection], Awaitable[int]]
    every: timedelta
    alone: bool = True
    next_in: Callable[[Connection], Awaitable[float | None]] | None = None
    wake: asyncio.Event | None = None
    forget: Callable[[], None] | None = None


class Runner:
    """Runs loops until cancelled. A step that raises is logged, counted and tried again (T125).

    `ran` hears of every step: the loop's name, and whether it succeeded.
    """

    def __init__(
        self, database: Database, loops: Sequence[Loop], *, ran: Callable[[str, bool], None]
    ) -> None:
        self._database = database
        self._loops = loops
        self._ran = ran
        self._led = True  # whoever begins has nobody to wait for

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
                    pause = await self._turn(loop, db)
            except Exception:  # noqa: BLE001 - the loop runner is one of the places that may
                self._note(loop.name)
                await asyncio.sleep(_AFTER_FAILURE)  # whoever is being woken meanwhile
            else:
                await _rest(loop, pause)

    async def _lead(self) -> None:
        while True:
            try:
                await self._lead_while_connected()
            except Exception:  # noqa: BLE001 - as above
                self._note("leader")
            await asyncio.sleep(_CANDIDATE_SECONDS if self._led else _AFTER_FAILURE)

    async def _lead_while_connected(self) -> None:
        raw = await self._database.dedicated(_LEADING)
        try:
            if not self._led:
                await asyncio.sleep(_CANDIDATE_SECONDS)  # the one who led goes first
            while not await raw.fetchval(_LEAD, _LEADER_LOCK):
                self._led = False
                await asyncio.sleep(_CANDIDATE_SECONDS)
            self._led = True
            _log.info("leading", loops=[loop.name for loop in self._loops if loop.alone])
            turn = asyncio.Lock()  # the steps share the connection that holds the lock
            async with asyncio.TaskGroup() as group:
                for loop in self._loops:
                    if loop.alone:
                        group.create_task(self._lead_one(loop, raw, turn))
        finally:
            raw.terminate()
            for loop in self._loops:
                if loop.alone and loop.forget is not None:
                    loop.forget()

    async def _lead_one(self, loop: Loop, raw: asyncpg.Connection, turn: asyncio.Lock) -> None:
        while True:
            async with turn:
                if raw.is_closed():
                    raise ConnectionError("the leader's connection is gone")
                try:
                    pause = await self._turn(loop, Connection(raw))
                except Exception:
                    if raw.is_closed():
                        raise
                    self._note(loop.name)
                    pause = loop.every.total_seconds()
            await _rest(loop, pause)

    async def _turn(self, loop: Loop, db: Connection) -> float:
        """Take a few steps, and tell how long to wait: no loop starves the others."""
        if loop.wake is not None:
            loop.wake.clear()
        for _ in range(_STEPS_PER_TURN):
            did = await loop.step(db)
            self._ran(loop.name, True)  # noqa: FBT003 - it ran, and it succeeded
            if not did:
                break
        else:
            return 0.0
        period = loop.every.total_seconds()
        if loop.next_in is None:
            return period
        needed = await loop.next_in(db)
        return period if needed is None else min(max(needed, _SHORTEST_REST), period)

    def _note(self, name: str) -> None:
        _log.exception("loop failed", loop=name)
        self._ran(name, False)  # noqa: FBT003 - it ran, and it failed


async def _rest(loop: Loop, seconds: float) -> None:
    if loop.wake is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await loop.wake.wait()
    except TimeoutError:
        return
