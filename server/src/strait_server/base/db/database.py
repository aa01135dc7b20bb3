"""The way to the database: a pool for requests, lines of one's own for the hot path.

A `Line` is a dedicated connection that comes back by itself after an outage,
and is replaced when it answers no more.
Hot statements run on lines with pinned plans: every access path they need is
an index, and a plan made while the tables were empty must not stay for good.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, NamedTuple

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from strait_server.base.clock import monotonic
from strait_server.base.db import scope
from strait_server.base.db.connection import Connection, prepare_types
from strait_server.base.db.outage import FAILURES, is_outage
from strait_server.base.db.queries import Query
from strait_server.base.errors import Unavailable

PINNED_PLANS: Final[Mapping[str, str]] = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
}
PATIENCE: Final = 5.0  # seconds for statements that take milliseconds
_CONNECT_SECONDS: Final = 5
_ACQUIRE_SECONDS: Final = 2.0
_MOST_DOUBLINGS: Final = 8
# A process id can be somebody else's by now: ours was there when we had it for so long.
_END: Final = Query(
    "end",
    """
    select pg_terminate_backend(pid, 4000)
    from pg_stat_activity
    where pid = $1
      and usename = current_user
      and datname = current_database()
      and backend_start <= now() - make_interval(secs => $2)
    """,
    ("pid", "age"),
)


class Database:
    """One PostgreSQL database, reached through a pool and a few lines."""

    def __init__(
        self,
        dsn: str,
        *,
        min_connections: int = 1,
        max_connections: int = 10,
        statement_timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        self.dsn: Final = dsn
        self._settings = {
            "application_name": "strait",
            "statement_timeout": str(int(statement_timeout.total_seconds() * 1000)),
            # Nothing of ours waits inside a transaction: who does hangs, and holds locks.
            "idle_in_transaction_session_timeout": "15000",
            "timezone": "UTC",
            "jit": "off",
        }
        # Later than the server's own limit, so that this one only ends silence.
        self._command_seconds = int(statement_timeout.total_seconds()) + 5
        self._min = min_connections
        self._max = max_connections
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._has_scopes: bool | None = None

    async def dedicated(
        self, settings: Mapping[str, str] | None = None, *, patience: float | None = None
    ) -> asyncpg.Connection:
        """Open a connection that belongs to the caller, who closes it.

        A statement that is not answered within `patience` raises TimeoutError, at
        the latest when PostgreSQL itself would have ended it. Not to be let in is
        an outage as well, whatever PostgreSQL's reason: a ConnectionError, if it
        is none of its own.
        """
        try:
            raw = await asyncpg.connect(
                self.dsn,
                server_settings={**self._settings, **(settings or {})},
                timeout=_CONNECT_SECONDS,
                command_timeout=min(patience or math.inf, self._command_seconds),
            )
        except asyncpg.PostgresError as error:
            raise ConnectionError(str(error)) from error
        await prepare_types(raw)
        return raw

    @asynccontextmanager
    async def connection(self, project_id: str | None = None) -> AsyncGenerator[Connection]:
        """Lend a connection of the pool, in the scope of a project; None: of the owner.

        A scope stays as long as nobody asks for another: the same one again
        costs nothing. Where scopes cannot be entered, which the start has
        warned of, everybody is the owner.

        Raises `Unavailable` when PostgreSQL is away, or when every connection
        stayed busy for two seconds: better to say so than to queue up.
        """
        pool = await self._open_pool()
        try:
            raw = await pool.acquire(timeout=_ACQUIRE_SECONDS)
        except FAILURES as error:
            raise Unavailable("the database does not answer") from error
        try:
            await self._enter(raw, project_id)
            yield Connection(raw)
        except FAILURES as error:
            if is_outage(error):
                raise Unavailable("the database does not answer") from error
            raise
        finally:
            await pool.release(raw, timeout=_CONNECT_SECONDS)

    async def close(self) -> None:
        if self._pool is None:
            return
        try:
            await asyncio.wait_for(self._pool.close(), _CONNECT_SECONDS)
        except TimeoutError:
            self._pool.terminate()
        self._pool = None

    def usage(self) -> tuple[int, int, int]:
        """Count the connections of the pool: open, idle, at most."""
        if self._pool is None:
            return 0, 0, self._max
        return self._pool.get_size(), self._pool.get_idle_size(), self._max

    async def _enter(self, raw: PoolConnectionProxy, project_id: str | None) -> None:
        if project_id is not None and self._has_scopes is None:
            self._has_scopes = (await scope.standing(raw)).is_whole
        await raw.enter(project_id if self._has_scopes else None)

    async def _open_pool(self) -> asyncpg.Pool:
        async with self._opening:
            if self._pool is None:
                try:
                    self._pool = await asyncpg.create_pool(
                        self.dsn,
                        min_size=self._min,
                        max_size=self._max,
                        server_settings=self._settings,
                        timeout=_CONNECT_SECONDS,
                        command_timeout=self._command_seconds,
                        init=_introduce,
                        connection_class=scope.ScopedConnection,
                        reset=_nothing_to_reset,
                        max_inactive_connection_lifetime=300,
                    )
                except FAILURES as error:
                    raise Unavailable("the database does not answer") from error
            return self._pool


class _Backend(NamedTuple):
    """The process of PostgreSQL at the other end of a connection, and since when we have it."""

    pid: int
    since: float


class Line:
    """A dedicated connection that is opened on first use and again after it broke.

    One that does not answer within `patience` (seconds) is thrown away: somebody
    between here and PostgreSQL may be swallowing the answers, and what the
    statement did is not known. The next one is given twice as long, until a
    statement succeeds, so that what is only slow comes to its end.

    Who uses the next one can find out what became of the statement: the former
    connection was ended at PostgreSQL's side as well, where it may have held
    locks, so that nothing can be written on it any more.
    """

    def __init__(
        self,
        database: Database,
        settings: Mapping[str, str] | None = None,
        *,
        patience: float | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._patience = patience
        self._doublings = 0
        self._raw: asyncpg.Connection | None = None
        self._backends: list[_Backend] = []  # the last is that of the connection
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Lend the line to one user at a time. OSError and friends when it is down."""
        async with self._lock:
            if self._raw is None or self._raw.is_closed():
                patience = self._patience and self._patience * 2**self._doublings
                self._raw = await self._database.dedicated(self._settings, patience=patience)
                self._backends.append(_Backend(self._raw.get_server_pid(), monotonic()))
            db = Connection(self._raw)
            try:
                await self._end_former(db)
                yield db
            except TimeoutError:
                self._raw.terminate()
                self._doublings = min(self._doublings + 1, _MOST_DOUBLINGS)
                raise
            except asyncio.CancelledError:  # its answer may never come, and nobody could ask again
                self._raw.terminate()
                raise
            self._doublings = 0

    async def _end_former(self, db: Connection) -> None:
        while len(self._backends) > 1:
            pid, since = self._backends[0]
            await db.row(bool, _END, pid=pid, age=monotonic() - since)
            del self._backends[0]

    async def close(self) -> None:
        raw, self._raw = self._raw, None
        self._backends.clear()
        if raw is not None and not raw.is_closed():
            try:
                await raw.close(timeout=_CONNECT_SECONDS)
            except FAILURES:
                raw.terminate()


async def _introduce(raw: asyncpg.Connection) -> None:
    await prepare_types(raw)
    await scope.pin_names(raw)


async def _nothing_to_reset(_: asyncpg.Connection) -> None:
    """Spare a round trip per use: nothing is left behind but the scope, which is known."""
