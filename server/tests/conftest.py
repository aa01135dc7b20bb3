"""What tests stand on: one real PostgreSQL, one template database, a fresh place for each test."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import asyncpg
import pytest
import uvloop
from hypothesis import settings as hypothesis_settings

from strait_server.base import ids
from strait_server.base.db.connection import Connection, prepare_types
from strait_server.base.db.database import Database
from strait_server.base.db.embedded import server as embedded
from strait_server.base.db.migrations.files import load_migrations
from strait_server.base.db.migrations.runner import migrate

hypothesis_settings.register_profile("strait", deadline=None, database=None)
hypothesis_settings.load_profile("strait")

TEMPLATE = "strait_template"
# Nothing of a test survives it, so nothing needs to reach the disk.
UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


def pytest_asyncio_loop_factories():
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def postgres():
    """An embedded server of this session's own."""
    folder = Path(tempfile.mkdtemp(prefix="strait-tests-"))
    folder.chmod(0o711)  # the server's user must be able to pass through
    server = embedded.start(folder / "postgres", log=lambda _: None, settings=UNSAFE)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def template(postgres):
    """The dsn of a database that was migrated from nothing, once."""
    admin = await asyncpg.connect(postgres.dsn)
    await admin.execute(f"create database {TEMPLATE}")
    await admin.close()
    dsn = _named(postgres.dsn, TEMPLATE)
    raw = await asyncpg.connect(dsn)
    await migrate(raw, load_migrations(), lock_seconds=10)
    await raw.close()
    return dsn


@pytest.fixture(scope="session")
async def shared(template, postgres):
    """A connection to the database whose tests roll back."""
    dsn = await _clone(postgres.dsn, "strait_shared")
    raw = await asyncpg.connect(dsn)
    await prepare_types(raw)
    yield raw
    await raw.close()


@pytest.fixture
async def db(shared):
    """A connection in a transaction that is rolled back at the end."""
    transaction = shared.transaction()
    await transaction.start()
    try:
        yield Connection(shared)
    finally:
        await transaction.rollback()


@pytest.fixture
async def dsn(template, postgres):
    """A database of this test's own, for what must be committed."""
    name = f"strait_{ids.token_hex(6)}"
    yield await _clone(postgres.dsn, name)
    admin = await asyncpg.connect(postgres.dsn)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
async def database(dsn):
    database = Database(dsn, max_connections=20)
    yield database
    await database.close()


async def _clone(admin_dsn, name):
    admin = await asyncpg.connect(admin_dsn)
    for _ in range(100):
        try:
            await admin.execute(f"create database {name} template {TEMPLATE}")
            break
        except asyncpg.ObjectInUseError:  # another clone is being made
            await asyncio.sleep(0.05)
    await admin.close()
    return _named(admin_dsn, name)


def _named(dsn, name):
    """The same server, another database."""
    head, _, query = dsn.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
