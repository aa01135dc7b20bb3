"""A server for these tests, and an empty database for each."""

import asyncpg
import pytest
from base.db.embedded.machine import an_open_folder

from strait_server.base.db.embedded import server as embedded


@pytest.fixture(scope="session")
def server():
    """Start a server: each test has a database of its own."""
    with an_open_folder() as folder:
        server = embedded.start(folder / "strait", log=lambda _: None, settings={"fsync": "off"})
        yield server
        server.stop()


@pytest.fixture
async def connect(server):
    """Open connections to an empty database."""
    owner = await asyncpg.connect(server.dsn)
    await owner.execute("create database migrated")
    connections = []

    async def _connect(database="migrated", **settings):
        connections.append(
            await asyncpg.connect(server.dsn, database=database, server_settings=settings)
        )
        return connections[-1]

    yield _connect
    for connection in connections:
        await connection.close()
    await owner.execute("drop database migrated")
    await owner.close()


@pytest.fixture
async def raw(connect):
    return await connect()
