"""The PostgreSQL of a bench: the embedded one, tuned alike for every contender."""

import shutil
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from strait_server.base.db.embedded import server as embedded
from strait_server.base.db.embedded.errors import EmbeddedFailed

SETTINGS: Final = MappingProxyType(
    {
        "shared_buffers": "1GB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "synchronous_commit": "on",
        "fsync": "on",
        "jit": "off",
    }
)
_LONGEST_STATEMENT_SECONDS: Final = 600


class Postgres:
    """A running server, and the databases in it."""

    def __init__(self, server: embedded.EmbeddedServer) -> None:
        self._server = server

    @property
    def pid(self) -> int:
        return self._server.pid

    @property
    def version(self) -> str:
        return self._server.version

    def dsn(self, database: str) -> str:
        """Over the unix socket, for every contender alike."""
        return urlsplit(self._server.dsn)._replace(path=f"/{database}").geturl()

    async def create(self, database: str) -> str:
        """Make an empty database, instead of an earlier one of that name. Answers its dsn."""
        await self.drop(database)
        await self._execute(f'create database "{database}"')
        return self.dsn(database)

    async def drop(self, database: str) -> None:
        await self._execute(f'drop database if exists "{database}" with (force)')

    async def settle(self) -> None:
        """Write out what the last measurement left behind: the next one must not pay for it."""
        await self._execute("checkpoint")

    async def _execute(self, statement: str) -> None:
        async with connection(self._server.dsn) as raw:
            await raw.execute(statement)


@asynccontextmanager
async def connection(dsn: str) -> AsyncGenerator[asyncpg.Connection]:
    raw = await asyncpg.connect(dsn, timeout=10, command_timeout=_LONGEST_STATEMENT_SECONDS)
    try:
        yield raw
    finally:
        await raw.close(timeout=10)


@contextmanager
def running(folder: Path) -> Generator[Postgres]:
    """Start a server in the folder, and forget it with its data at the end.

    One that a killed bench left behind is taken over. Raises `EmbeddedFailed`
    when another bench is using the folder.
    """
    server = embedded.start(folder, settings=SETTINGS, log=lambda _: None)
    if not server.owned:
        raise EmbeddedFailed(f"another bench is running in {folder}")
    try:
        yield Postgres(server)
    finally:
        server.stop()
        shutil.rmtree(server.directory, ignore_errors=True)
