"""When the database goes away (behaviour 4.4; D4, T22q, T23q). It has a server of its own."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import asyncpg
import crew
import pytest
import world
from endpoint import Endpoint, answer, when

from strait_server.base.db.connection import Connection, prepare_types
from strait_server.base.db.embedded import server as embedded
from strait_server.base.db.migrations.files import load_migrations
from strait_server.base.db.migrations.runner import migrate
from strait_server.work.queue.model import Status

# It may lose what it has not told the disk, for the disk stays; but what it has committed it keeps.
FAST = {"fsync": "off", "full_page_writes": "off"}


@pytest.fixture(scope="module")
def folder():
    folder = Path(tempfile.mkdtemp(prefix="strait-outage-")).resolve()
    folder.chmod(0o711)  # the server's user must be able to pass through
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
async def server(folder):
    server = await asyncio.to_thread(embedded.start, folder, log=lambda _: None, settings=FAST)
    raw = await asyncpg.connect(server.dsn)
    await migrate(raw, load_migrations(), lock_seconds=10)
    await raw.close()
    yield server
    await asyncio.to_thread(server.stop)


@pytest.fixture
async def a_worker(server):
    """A worker on that server."""
    async with crew.at_work(server.dsn, poller_interval="1s") as hired:
        yield hired


@pytest.fixture
async def endpoint(a_worker):
    endpoint = await Endpoint().start()
    yield endpoint
    await endpoint.stop()


class Away:
    """The server is away inside the block, and back after it."""

    def __init__(self, server):
        self._server = server

    async def __aenter__(self):
        await asyncio.to_thread(self._server._shut_down)

    async def __aexit__(self, *_):
        await asyncio.to_thread(self._server.run)


async def connect(server):
    raw = await asyncpg.connect(server.dsn)
    await prepare_types(raw)
    return Connection(raw)


@pytest.fixture
async def job(server, a_worker, endpoint):
    db = await connect(server)
    yield await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=2)
    await db.raw.close()


async def trigger(server, job, count=1):
    db = await connect(server)
    runs = await world.queued(db, job, count)
    await db.raw.close()
    return [run.id for run in runs]


async def ended(server, run_ids):
    db = await connect(server)
    found = await crew.ended(db, *run_ids, within=30.0)
    await db.raw.close()
    return set(found.values())


async def test_outcomes_are_written_when_the_database_is_back(server, a_worker, endpoint, job):
    """D4: and nobody is called a second time."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    run_ids = await trigger(server, job, 10)
    await endpoint.heard(10)

    async with Away(server):
        answered.set()
        await endpoint.idle()

    assert await ended(server, run_ids) == {Status.COMPLETED}
    assert {tuple(attempts) for attempts in endpoint.attempts().values()} == {(1,)}
    db = await connect(server)
    row = await crew.the_run(db, run_ids[0])
    assert row["attempt"] == 1
    assert await crew.moves(db, run_ids[0]) == ["queued", "dequeued", "executing", "completed"]
    assert await world.count(db, "leases") == 0
    await db.raw.close()


async def test_a_start_that_could_not_be_written_is_written_later(server, a_worker, endpoint, job):
    """A long run must not look unsent: whoever rescued it would send it as the same attempt."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    lines = a_worker.crew.recorder._starts_line
    async with lines._lock:  # starts cannot be written until the server is gone
        [run_id] = await trigger(server, job)
        await endpoint.heard(1)
        async with Away(server):
            pass

    db = await connect(server)
    await crew.stands(db, run_id, Status.EXECUTING)
    answered.set()
    assert await ended(server, [run_id]) == {Status.COMPLETED}
    await db.raw.close()


async def test_a_worker_works_on_after_an_outage(server, a_worker, endpoint, job):
    name = a_worker.worker_id

    async with Away(server):
        pass
    run_ids = await trigger(server, job, 5)

    assert await ended(server, run_ids) == {Status.COMPLETED}
    assert a_worker.worker_id == name


async def test_a_crash_of_the_server_loses_nothing(server, a_worker, endpoint, job):
    answered = asyncio.Event()
    endpoint.on("/work", when(answered), answer())
    run_ids = await trigger(server, job, 20)
    await endpoint.heard(1)

    await asyncio.to_thread(server.kill)
    answered.set()
    await asyncio.to_thread(server.restart)

    assert await ended(server, run_ids) == {Status.COMPLETED}
    assert {tuple(attempts) for attempts in endpoint.attempts().values()} == {(1,)}
