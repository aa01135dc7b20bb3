"""Workers as a process has them, on a test's own database, and what tests do to them."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
import world
from endpoint import Endpoint
from msgspec.structs import replace

from strait_server.app import lifespan
from strait_server.app import worker as app
from strait_server.base.db.database import PINNED_PLANS, Database, Line
from strait_server.base.outbound.client import Client
from strait_server.base.outbound.resolver import Resolver
from strait_server.base.settings import Settings
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import FINAL, Status
from strait_server.work.workers.service.recovery import Recovery

DEADLINE = 15.0
ENVIRON = world.ENVIRON | {"ALLOW_PRIVATE_ENDPOINTS": "true"}


@pytest.fixture
async def hire(database):
    """Have a worker with these settings work on the test's database."""
    async with AsyncExitStack() as stack:

        async def hire(**settings):
            return await stack.enter_async_context(at_work(database.dsn, **settings))

        yield hire


@pytest.fixture
async def mortal(database):
    """Have a worker work that can `die`."""
    hired = []

    async def hire(**settings):
        hired.append(await Mortal.hire(database.dsn, **settings))
        return hired[-1]

    yield hire
    for one in hired:
        await one.die()


@pytest.fixture
async def endpoint(hire, mortal):
    """An endpoint, which goes before the workers do: nobody waits for one that hangs."""
    endpoint = await Endpoint().start()
    yield endpoint
    await endpoint.stop()


async def eventually(condition, *, within=DEADLINE):
    """Poll until `condition` answers something true, and return that."""
    async with asyncio.timeout(within):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
    return found


def settings_of(**settings) -> Settings:
    """The settings of tests, which call endpoints on this machine."""
    said = {name.upper(): str(value) for name, value in settings.items()}
    return Settings.load({**ENVIRON, **said})


@asynccontextmanager
async def at_work(dsn, **settings):
    """A worker, put together and drained as by `app.worker`, with the services it stands on.

    `services` has the metrics; `crew` the worker and what belongs to it.
    """
    async with _living(dsn, settings_of(**settings)) as services:
        async with app.working(services) as crew:
            listening = asyncio.create_task(services.listener.run())
            await crew.presence.ready.wait()
            try:
                yield Hired(services, crew)
            finally:
                listening.cancel()
                await asyncio.wait([listening])


class Hired:
    """A worker at work."""

    def __init__(self, services, crew):
        self.services = services
        self.crew = crew

    @property
    def worker(self):
        return self.crew.worker

    @property
    def worker_id(self):
        return self.crew.presence.worker_id

    def metric(self, name, **labels):
        """The value of a sample now; 0 if there is none."""
        return self.services.metrics._registry.get_sample_value(name, labels) or 0


class Mortal(Hired):
    """A worker that dies when it is told to, as from SIGKILL: nothing is written any more."""

    @classmethod
    async def hire(cls, dsn, *, loops=True, present=True, **settings):
        living = _living(dsn, settings_of(**settings))
        services = await living.__aenter__()
        self = cls(services, None)
        self._living = living
        self._resolver = Resolver()
        self._client = Client(self._resolver)
        self._lines = [Line(services.database, PINNED_PLANS) for _ in range(4)]
        self.crew = app._assemble(services, self._client, self._lines)
        background = app._background(self.crew) if loops else _without_loops(self.crew)
        self._tasks = [
            asyncio.create_task(background),
            asyncio.create_task(self.worker.run()),
            asyncio.create_task(services.listener.run()),
        ]
        self._dead = False
        if present:
            await self.crew.presence.ready.wait()
        return self

    async def die(self):
        if self._dead:
            return
        self._dead = True
        doomed = [*self._tasks, *self.worker._lanes]
        for task in doomed:
            task.cancel()
        await asyncio.wait(doomed)
        await self._client.close()
        self._resolver.close()
        for line in self._lines:
            if line._raw is not None:
                line._raw.terminate()
        await self._living.__aexit__(None, None, None)


def _living(dsn, settings):
    return lifespan.living(settings, Database(dsn, max_connections=settings.db_max_conns))


async def _without_loops(crew):
    async with asyncio.TaskGroup() as group:
        for one in (crew.recorder, crew.presence, crew.endpoints, crew.durations):
            group.create_task(one.run())


def policy_of(services, *, return_within=0.0):
    """The policy of a worker; it takes no start of PostgreSQL for a late one."""
    policy = app.policy_of(services.settings, worth=services.worth)
    return replace(policy, return_within=timedelta(seconds=return_within))


def recovery_of(services) -> Recovery:
    return Recovery(services.definitions, policy_of(services))


async def ended(db, *run_ids, within=10.0):
    """Wait until these runs are final, and return where they stand."""
    final = [str(status) for status in FINAL]
    async with asyncio.timeout(within):
        while True:
            rows = await db.raw.fetch("select id, status from runs where id = any($1)", run_ids)
            if len(rows) == len(run_ids) and all(row["status"] in final for row in rows):
                return {row["id"]: Status(row["status"]) for row in rows}
            await asyncio.sleep(0.005)


async def the_run(db, run_id):
    """The row of a run, as it is."""
    return await db.raw.fetchrow("select * from runs where id = $1", run_id)


async def moves(db, run_id) -> list[Status]:
    """Where a run has been, in order."""
    ordinals = await db.raw.fetchval(
        "select array(select m & 15 from unnest(moves) as m) from runs where id = $1", run_id
    )
    return [list(Status)[ordinal] for ordinal in ordinals]


async def all_final(db, *, within=20.0):
    """Wait until no run is left that is not final, and count where they stand."""
    final = [str(status) for status in FINAL]
    async with asyncio.timeout(within):
        while await db.raw.fetchval("select count(*) from runs where status <> all($1)", final):
            await asyncio.sleep(0.01)
    rows = await db.raw.fetch("select status, count(*) from runs group by status")
    return {Status(row["status"]): row["count"] for row in rows}


async def waits(db, run_id, reason):
    """Wait until a run waits for its time, for this reason; how long it has to, in seconds."""

    async def found():
        return await db.raw.fetchrow(
            "select reason, extract(epoch from due_at - queued_at)::float8 as seconds "
            "from scheduled join runs on runs.id = scheduled.run_id "
            "where run_id = $1 and reason = $2",
            run_id,
            reason,
        )

    return (await eventually(found))["seconds"]


async def make_due(db):
    """Let the time come for which runs wait."""
    await db.raw.execute("update scheduled set due_at = now() - interval '1 second'")
    await queue.move_due(db, worth=world.WORTH)


async def stands(db, run_id, status, *, within=DEADLINE):
    """Wait until a run has this status."""

    async def there():
        return await world.status(db, run_id) == status

    await eventually(there, within=within)


async def stands_any(db, status, *, within=DEADLINE):
    """Wait until some run has this status."""

    async def there():
        return status in await world.statuses(db)

    await eventually(there, within=within)


async def rescued(db, recovery, count, *, within=DEADLINE):
    """Let a rescuer look until it has rescued so many runs."""
    found = 0

    async def enough():
        nonlocal found
        found += await recovery.step(db)
        return found >= count

    await eventually(enough, within=within)
    assert found == count
