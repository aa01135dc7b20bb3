"""Who may have a connection, and which idle ones are kept."""

import asyncio
from collections import deque
from typing import Final

from msgspec import Struct

from strait_server.base import clock
from strait_server.base.outbound.connection import Connection
from strait_server.base.outbound.urls import Origin


class Limits(Struct, frozen=True, kw_only=True):
    """How many connections a client holds (behaviour 3.2)."""

    per_origin: int = 100
    """Exchanges at a time with one origin; further requests wait their turn."""
    idle: int = 100
    """Idle connections over all origins; the longest idle one makes room."""
    idle_seconds: float = 90.0
    """An idle connection older than this is closed."""


class Turns:
    """Who may use an origin now: so many at a time, the others in the order they came.

    What a semaphore is, but a turn that is free costs no coroutine.
    """

    __slots__ = ("_free", "_waiting")

    def __init__(self, turns: int) -> None:
        self._free = turns
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> int:
        return self._free

    def take(self) -> bool:
        """Take a turn if one is free."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def wait(self) -> None:
        """Wait for a turn, which whoever has one hands over."""
        handed = asyncio.get_running_loop().create_future()
        self._waiting.append(handed)
        try:
            await handed
        except asyncio.CancelledError:
            if not handed.cancelled():  # it came when it was no longer wanted
                self.release()
            raise

    def release(self) -> None:
        """Hand the turn to the next, or leave it free."""
        while self._waiting:
            handed = self._waiting.popleft()
            if not handed.done():
                handed.set_result(None)
                return
        self._free += 1


class Pool:
    """The connections to one origin: some are lent, the idle ones lie here, newest last."""

    __slots__ = ("idle", "origin", "turns", "users")

    def __init__(self, origin: Origin, turns: int) -> None:
        self.origin: Final = origin
        self.turns: Final = Turns(turns)
        self.users = 0
        self.idle: list[Connection] = []


class Pools:
    """All pools of a client. A pool nobody uses and that holds nothing does not exist."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pools: dict[Origin, Pool] = {}
        self._idle: dict[Connection, Pool] = {}  # of all pools, longest idle first
        self._sweeper: asyncio.TimerHandle | None = None

    def enter(self, origin: Origin) -> Pool:
        """Start using the pool of an origin."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(origin, self._limits.per_origin)
        pool.users += 1
        return pool

    def leave(self, pool: Pool) -> None:
        """End what `enter` started."""
        pool.users -= 1
        self._tidy(pool)

    def take(self, pool: Pool) -> Connection | None:
        """Lend the connection that was used last: the others may grow old."""
        while pool.idle:
            connection = pool.idle.pop()
            del self._idle[connection]
            if connection.reusable:
                return connection
        return None

    def keep(self, pool: Pool, connection: Connection) -> None:
        """Take a connection back for later."""
        self._idle[connection] = pool
        pool.idle.append(connection)
        if len(self._idle) > self._limits.idle:
            self._discard(next(iter(self._idle)))
        if self._sweeper is None:
            self._sweep()

    def forget(self, connection: Connection) -> None:
        """Let go of a connection that is gone, if it was idle."""
        pool = self._idle.pop(connection, None)
        if pool is not None:
            pool.idle.remove(connection)
            self._tidy(pool)

    def drop_idle(self, pool: Pool) -> None:
        """Close every idle connection of a pool."""
        for connection in tuple(pool.idle):
            self._discard(connection)

    def close(self) -> None:
        """Close every idle connection and stop the sweep."""
        for connection in tuple(self._idle):
            self._discard(connection)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _sweep(self) -> None:
        """Close what has been idle too long, and come back when the next one will have been."""
        self._sweeper = None
        now = clock.monotonic()
        for connection in tuple(self._idle):
            left = connection.used_at + self._limits.idle_seconds - now
            if left > 0:
                self._sweeper = asyncio.get_running_loop().call_later(left, self._sweep)
                return
            self._discard(connection)

    def _discard(self, connection: Connection) -> None:
        self.forget(connection)
        connection.abort()

    def _tidy(self, pool: Pool) -> None:
        if not pool.users and not pool.idle:
            del self._pools[pool.origin]
