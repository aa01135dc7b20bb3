"""One PostgreSQL for all tests, and the worlds they live in.

A test usually asks for `db`, a connection whose work is rolled back at the
end, and `client`, the API in this process on that same connection: what the
test has done the API sees, and the other way round.

A test that must commit (NOTIFY, two connections racing, a listener) asks for
`database` as well, a fresh database of its own. Then `db`, `raw` and `client`
are there, nothing is rolled back, and the listener runs.
"""

import asyncio
import gc
import shutil
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pytest
import world
from journeys.wire import Wire

from strait_server.app import lifespan
from strait_server.app.api import build
from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Database
from strait_server.base.db.embedded import server as embedded
from strait_server.base.db.migrations.files import load_migrations
from strait_server.base.db.migrations.runner import migrate
from strait_server.base.http.edge import Edge
from strait_server.base.settings import Settings

TEMPLATE = "strait_template"
SHARED = "strait_shared"
SCOPE = "select set_config('role', $1, false), set_config('app.current_project_id', $2, false)"
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_connections": "200",
}


IN_BACKGROUND = ContextVar("in_background", default=False)
HAS_CONNECTION = ContextVar("has_connection", default=False)
IN_SCOPE = ContextVar("in_scope", default=None)


class Cluster:
    """The server of the session, and its databases."""

    def __init__(self, server):
        self._server = server

    @property
    def dsn(self):
        return self._server.dsn

    @property
    def socket(self):
        """Where it listens."""
        address = parse_qs(urlsplit(self.dsn).query)
        return f"{address['host'][0]}/.s.PGSQL.{address['port'][0]}"

    def dsn_of(self, name):
        address, _, options = self.dsn.partition("?")
        return f"{address.rpartition('/')[0]}/{name}?{options}"

    async def create(self, name, *, template="template1"):
        await self._do(f'create database "{name}" template "{template}"')

    async def refuse(self, name):
        """Let nobody into a database, and throw out who is there."""
        await self._do(f'alter database "{name}" allow_connections false')
        await self._do(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name
        )

    async def allow(self, name):
        await self._do(f'alter database "{name}" allow_connections true')

    async def drop(self, name):
        await self._do(f'drop database "{name}" with (force)')

    async def _do(self, statement, *values):
        raw = await asyncpg.connect(self.dsn_of("postgres"))
        try:
            await raw.execute(statement, *values)
        finally:
            await raw.close()


class OneConnection(Database):
    """A database of one connection, the test's own: whoever asks gets it in turn.

    Who has it may ask again. What the process does by itself waits for ever:
    at that moment the test may be using the connection. What a request does
    outside of a transaction is kept, as a commit would keep it, and what fails
    in PostgreSQL is undone, as PostgreSQL would undo it. Whoever is lent it
    stands in the scope he asked for, and the test in that of the owner.
    """

    def __init__(self, dsn, raw):
        super().__init__(dsn)
        self._raw = raw
        self._turn = asyncio.Lock()

    async def dedicated(self, settings=None, *, patience=None):
        return self._raw

    @asynccontextmanager
    async def connection(self, project_id=None):
        if IN_BACKGROUND.get():
            await asyncio.Event().wait()
        if HAS_CONNECTION.get():
            async with _in_scope(self._raw, project_id):
                yield Savepoint(self._raw)
            return
        async with self._turn:
            HAS_CONNECTION.set(True)
            try:
                async with _kept_but_for_failures(self._raw), _in_scope(self._raw, project_id):
                    yield Savepoint(self._raw)
            finally:
                HAS_CONNECTION.set(False)

    async def close(self):
        """Leave the connection to the tests."""


@asynccontextmanager
async def _in_scope(raw, project_id):
    """Be in a scope for a while. When PostgreSQL has refused something, the savepoint ends it."""
    before = IN_SCOPE.get()
    await _enter(raw, project_id)
    try:
        yield
    except BaseException as error:
        if _comes_from_postgres(error):
            IN_SCOPE.set(before)
        else:
            await _enter(raw, before)
        raise
    await _enter(raw, before)


async def _enter(raw, project_id):
    if project_id != IN_SCOPE.get():
        await raw.fetch(SCOPE, "none" if project_id is None else "strait_tenant", project_id or "")
        IN_SCOPE.set(project_id)


@asynccontextmanager
async def _kept_but_for_failures(raw):
    savepoint = raw.transaction()
    await savepoint.start()
    try:
        yield
    except BaseException as error:
        await (savepoint.rollback() if _comes_from_postgres(error) else savepoint.commit())
        raise
    await savepoint.commit()


class Savepoint(Connection):
    """A connection in a test's transaction, whose own transactions begin inside it."""

    __slots__ = ("_open",)

    def __init__(self, raw):
        super().__init__(raw)
        self._open = False

    @asynccontextmanager
    async def transaction(self):
        if self._open:
            yield
            return
        self._open = True
        try:
            async with self.raw.transaction():
                yield
        finally:
            self._open = False


class Api(NamedTuple):
    """The API of a process, and what lives in it."""

    services: lifespan.Services
    app: Edge


def _comes_from_postgres(error):
    while error is not None:
        if isinstance(error, asyncpg.PostgresError):
            return True
        error = error.__cause__
    return False


@pytest.fixture(scope="session", autouse=True)
async def nothing_fails_unseen():
    """Fail if a task ended in an error that nobody has read.

    Python would only print it, from inside a garbage collection, at any point of another test.
    """
    unseen = []

    def look_into(loop, context):
        if "never retrieved" in context["message"]:
            unseen.append(context)
        else:
            loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(look_into)
    yield
    gc.collect()
    assert unseen == []


@pytest.fixture(scope="session")
def postgres():
    """Start a PostgreSQL that is quick because it may lose everything."""
    folder = Path(tempfile.mkdtemp(prefix="strait-tests-")).resolve()
    folder.chmod(0o711)  # the server's user must be able to pass through
    server = embedded.start(folder, log=lambda _: None, settings=FAST)
    yield Cluster(server)
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def template(postgres):
    """Make a migrated database to copy."""
    await postgres.create(TEMPLATE)
    raw = await asyncpg.connect(postgres.dsn_of(TEMPLATE))
    await migrate(raw, load_migrations(), lock_seconds=10)
    await raw.close()
    return TEMPLATE


@pytest.fixture(scope="session")
async def shared(postgres, template):
    """Make the database of all tests that roll back, and open one connection to it."""
    await postgres.create(SHARED, template=template)
    database = Database(postgres.dsn_of(SHARED))
    raw = await database.dedicated()
    yield raw
    raw.terminate()


@pytest.fixture
async def database(postgres, template):
    """Make a database of the test's own, where everything is committed."""
    name = f"strait_{world.new_name()}"
    await postgres.create(name, template=template)
    database = Database(postgres.dsn_of(name), max_connections=10)
    yield database
    await database.close()
    await postgres.drop(name)


@pytest.fixture
async def wire(postgres):
    """Lay a wire to the server, which a test can spoil."""
    wire = Wire(postgres.socket)
    await wire.start()
    yield wire
    await wire.stop()


@pytest.fixture
async def far(database, wire):
    """Reach the test's own database through the wire."""
    far = Database(wire.dsn(urlsplit(database.dsn).path[1:]))
    yield far
    wire.mend()
    await far.close()


@pytest.fixture
async def empty_dsn(postgres):
    """Make a database with nothing in it."""
    name = f"strait_{world.new_name()}"
    await postgres.create(name)
    yield postgres.dsn_of(name)
    await postgres.drop(name)


@pytest.fixture
def has_own_database(request):
    """Whether the test has a database of its own."""
    return "database" in request.fixturenames


@pytest.fixture
def workplace(request, has_own_database):
    """Where the test works: its own database, or the connection that all tests share."""
    return request.getfixturevalue("database" if has_own_database else "shared")


@pytest.fixture
async def raw(workplace, has_own_database):
    """Give a plain connection: to the test's own database, or in a transaction to roll back."""
    if has_own_database:
        raw = await workplace.dedicated()
        yield raw
        await raw.close()
        return
    transaction = workplace.transaction()
    await transaction.start()
    yield workplace
    await transaction.rollback()


@pytest.fixture
def db(raw, has_own_database):
    """Give a connection as our code knows it."""
    return Connection(raw) if has_own_database else Savepoint(raw)


@pytest.fixture(scope="session")
def settings():
    return Settings.load(world.ENVIRON)


@pytest.fixture(scope="session")
async def shared_api(postgres, settings, shared):
    """Build one API for all tests that roll back: it takes longer than most of them."""
    database = OneConnection(postgres.dsn_of(SHARED), shared)
    IN_BACKGROUND.set(True)  # for the tasks that begin here
    async with lifespan.living(settings, database) as services:
        IN_BACKGROUND.set(False)
        yield Api(services, build(services))


@pytest.fixture
async def own_api(database, settings):
    """Build an API on the test's own database, with its listener."""
    async with lifespan.living(settings, database) as services:
        listening = asyncio.create_task(services.listener.run())
        yield Api(services, build(services))
        listening.cancel()
        await asyncio.wait([listening])


@pytest.fixture
def api(request, has_own_database, raw):
    """Give the API of this process, on what the test sees."""
    if has_own_database:
        return request.getfixturevalue("own_api")
    api = request.getfixturevalue("shared_api")
    api.services.keyring.forget()
    api.services.definitions.forget()
    return api


@pytest.fixture
async def door(api):
    """Open doors to the API: `door(key)`, `door(internal=True)`, or `door()` for a stranger.

    Everybody comes from an address of his own, so that limits tell them apart.
    """
    async with AsyncExitStack() as stack:

        async def enter(key=None, *, internal=False, **headers):
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            if key is not None:
                given["Authorization"] = f"Bearer {key}"
            if internal:
                given["X-Internal-Secret"] = world.INTERNAL_SECRET
            address = world.new_address()
            return await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(api.app, client=(address, 50_000)),
                    base_url="http://api.example",
                    headers=given,
                )
            )

        yield enter


@pytest.fixture
async def client(db, door):
    """Somebody who may do everything in the project `proj_1`."""
    key = await world.a_key(db)
    return await door(key.key)
