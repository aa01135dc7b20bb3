"""Bring the database to the schema of this version, or say what it lacks (behaviour 17.1)."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, NamedTuple

import asyncpg
from msgspec import Struct

from strait_server.base.clock import monotonic
from strait_server.base.db.connection import Connection
from strait_server.base.db.migrations.errors import (
    MigrationFailed,
    MigrationLocked,
    SchemaMismatch,
)
from strait_server.base.db.migrations.files import Migration, Statement
from strait_server.base.db.outage import is_outage
from strait_server.base.db.queries import load_queries
from strait_server.base.settings import MigrationMode

SQL: Final = load_queries(__name__)
_POLL_SECONDS: Final = 0.1
# The driver has a time limit of its own, meant for requests. An index may take hours.
_LONGEST_STATEMENT_SECONDS: Final = 7 * 86_400.0


class Applied(Struct, frozen=True, kw_only=True):
    """A row of `schema_migrations`."""

    version: int
    name: str
    checksum: str
    applied_at: datetime
    dirty: bool


class Prepared(NamedTuple):
    """What a start did, and left to do: names of migrations."""

    applied: list[str]
    pending: list[str]


async def prepare(
    connection: asyncpg.Connection,
    files: Sequence[Migration],
    *,
    mode: MigrationMode,
    lock_seconds: float,
) -> Prepared:
    """Do at start what the mode says: apply; only look; or refuse when something is pending."""
    match mode:
        case MigrationMode.AUTO:
            return Prepared(await migrate(connection, files, lock_seconds=lock_seconds), [])
        case MigrationMode.MANUAL:
            return Prepared([], [file.name for file in await pending(connection, files)])
        case MigrationMode.VALIDATE:
            await check(connection, files)
            return Prepared([], [])


async def migrate(
    connection: asyncpg.Connection, files: Sequence[Migration], *, lock_seconds: float
) -> list[str]:
    """Apply what is pending, and return the names of the files.

    Raises `MigrationLocked`, `SchemaMismatch`, or `MigrationFailed`; what was
    applied before the failure stays.
    """
    db = Connection(connection)
    async with _lock(db, lock_seconds), _no_time_limit(connection):
        waiting = await pending(connection, files)
        if waiting:
            await db.execute(SQL["create_table"])
        for file in waiting:
            await _apply(db, file)
        return [file.name for file in waiting]


async def pending(connection: asyncpg.Connection, files: Sequence[Migration]) -> list[Migration]:
    """List what was not applied yet. `SchemaMismatch` when the database is not on this path."""
    encoding: str = connection.get_settings().server_encoding
    if encoding != "UTF8":
        raise SchemaMismatch(
            f"the database is encoded in {encoding} and cannot hold every text: make another, "
            "with `create database ... encoding 'UTF8' template template0`, and name it in "
            "DATABASE_URL"
        )
    rows = await applied(connection)
    done = {row.version for row in rows}
    waiting = [file for file in files if file.version not in done]
    problems = [*_strange_rows(rows, files), *_gaps(done, waiting)]
    if problems:
        raise SchemaMismatch(
            f"the database does not fit this version: {problems[0]}", problems=problems
        )
    return waiting


async def check(connection: asyncpg.Connection, files: Sequence[Migration]) -> None:
    """Raise `SchemaMismatch` unless the database is exactly what the files lead to."""
    waiting = [file.name for file in await pending(connection, files)]
    if waiting:
        raise SchemaMismatch(
            f"the database lacks {len(waiting)} migrations, from {waiting[0]} on",
            problems=waiting,
        )


async def applied(connection: asyncpg.Connection) -> list[Applied]:
    """List what was applied, in order."""
    db = Connection(connection)
    if not await db.row(bool, SQL["has_table"]):
        return []
    return await db.rows(Applied, SQL["applied"])


def _strange_rows(rows: Sequence[Applied], files: Sequence[Migration]) -> list[str]:
    file_by_version = {file.version: file for file in files}
    problems: list[str] = []
    for row in rows:
        file = file_by_version.get(row.version)
        if row.dirty:
            problems.append(
                f"{row.name} is half done: unless it is running now, undo it and delete its row "
                "from schema_migrations, or finish it by hand and set dirty = false there"
            )
        elif file is None:
            problems.append(f"{row.name} was applied by a newer version")
        elif (file.name, file.checksum) != (row.name, row.checksum):
            problems.append(f"{file.name} was changed after it was applied as {row.name}")
    return problems


def _gaps(done: set[int], waiting: Sequence[Migration]) -> list[str]:
    newest = max(done, default=0)
    return [
        f"{file.name} was left out, though {newest:04} was applied"
        for file in waiting
        if file.version < newest
    ]


async def _apply(db: Connection, file: Migration) -> None:
    """Apply one file and book it: both or, for a transactional file, neither."""
    if file.transactional:
        async with db.transaction():
            await _execute(db, file)
            await _book(db, file, dirty=False)
        return
    await _book(db, file, dirty=True)
    await _execute(db, file)
    await db.execute(SQL["mark_clean"], version=file.version)


async def _book(db: Connection, file: Migration, *, dirty: bool) -> None:
    await db.execute(
        SQL["book"], version=file.version, name=file.name, checksum=file.checksum, dirty=dirty
    )


async def _execute(db: Connection, file: Migration) -> None:
    for statement in file.statements:
        try:
            await db.raw.execute(statement.text, timeout=_LONGEST_STATEMENT_SECONDS)
        except asyncpg.PostgresError as error:
            if is_outage(error):  # it was not the statement's fault
                raise
            raise _failure(file, statement, error) from error


def _failure(
    file: Migration, statement: Statement, error: asyncpg.PostgresError
) -> MigrationFailed:
    """Name the place PostgreSQL points at, or else the statement's first line."""
    said: dict[str, str] = error.as_dict()
    line = file.line(statement.offset + int(said.get("position", 1)) - 1)
    return MigrationFailed(
        f"{file.name}.sql, line {line}: {said['message']}",
        problems=[said[part] for part in ("detail", "hint", "context") if part in said],
    )


@asynccontextmanager
async def _lock(db: Connection, seconds: float) -> AsyncGenerator[None]:
    """Hold the migration lock. Poll for it, see the package's docstring."""
    deadline = monotonic() + seconds
    while not await db.row(bool, SQL["try_lock"]):
        if monotonic() >= deadline:
            raise MigrationLocked(
                f"somebody else has been migrating this database for {seconds:g} seconds",
                retry_after=seconds,
            )
        await asyncio.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        if not db.raw.is_closed():
            await db.row(bool, SQL["unlock"])


@asynccontextmanager
async def _no_time_limit(connection: asyncpg.Connection) -> AsyncGenerator[None]:
    await connection.execute("set statement_timeout = 0")
    try:
        yield
    finally:
        if not connection.is_closed():
            await connection.execute("reset statement_timeout")
