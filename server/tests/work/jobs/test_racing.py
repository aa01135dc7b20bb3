"""Jobs between several at once (behaviour 9.2, 16.1; traps T88, T127)."""

import asyncio

import pytest
import world
from asyncpg import Connection as Raw

from strait_server.base.crypto.sealing import Sealer
from strait_server.base.errors import Conflict, LimitReached, Unavailable
from strait_server.tenancy.access.model import Actor, ActorType
from strait_server.work.jobs.model import CreateJob, UpdateJob
from strait_server.work.jobs.service import batch, define, pausing
from strait_server.work.jobs.service.definitions import Definitions

ACTOR = Actor(id="apikey:1", type=ActorType.API_KEY, project_id=world.PROJECT)


@pytest.fixture
async def means(means, database):
    async with database.connection() as db:
        await world.a_project(db)
    return means._replace(definitions=Definitions(database, ttl_seconds=300))


@pytest.fixture
async def job(means, database):
    return await on_its_own(database, define.create, means, ACTOR, named("resize"))


@pytest.fixture
async def heard(database):
    """Listen to what is announced about definitions."""
    heard = []
    raw = await database.dedicated()
    await raw.add_listener("strait_changed", lambda *said: heard.append(said[-1]))
    yield lambda: _after_all(raw, heard)
    await raw.close()


async def _after_all(raw: Raw, heard):
    await raw.fetchval("select 1")  # notifications that were sent before have arrived with it
    return heard


async def on_its_own(database, act, *said, **named):
    """Do it as a request does: on a connection of its own, committed."""
    async with database.connection() as db:
        return await act(db, *said, **named)


def named(slug, **fields):
    return CreateJob(name=slug, slug=slug, endpoint_url="https://svc.example/", **fields)


async def test_the_next_trigger_on_this_node_sees_a_change(means, database, job):
    """T127."""
    before = await means.definitions.by_reference(world.PROJECT, "resize")

    await on_its_own(database, define.update, means, ACTOR, "resize", UpdateJob(max_attempts=9))

    after = await means.definitions.by_reference(world.PROJECT, "resize")
    assert (before.job.max_attempts, after.job.max_attempts) == (3, 9)
    assert after.job.revision > before.job.revision


async def test_the_next_trigger_on_this_node_sees_a_pause(means, database, job):
    """T127."""
    await means.definitions.by_id(job.id)

    await on_its_own(database, pausing.pause, means, ACTOR, "resize", reason=None)

    assert (await means.definitions.by_id(job.id)).job.paused


async def test_the_next_trigger_on_this_node_misses_a_deleted_job(means, database, job):
    """T127."""
    await means.definitions.by_reference(world.PROJECT, "resize")

    await on_its_own(database, define.delete, means, ACTOR, "resize")

    assert await means.definitions.by_reference(world.PROJECT, "resize") is None


@pytest.mark.parametrize(
    "act",
    [
        lambda db, means: define.update(db, means, ACTOR, "resize", UpdateJob(max_attempts=9)),
        lambda db, means: define.update(db, means, ACTOR, "resize", UpdateJob(enabled=False)),
        lambda db, means: pausing.pause(db, means, ACTOR, "resize", reason=None),
        lambda db, means: batch.switch(db, means, ACTOR, ["resize"], enabled=False),
        lambda db, means: define.delete(db, means, ACTOR, "resize"),
    ],
    ids=["update", "switch", "pause", "batch switch", "delete"],
)
async def test_the_other_nodes_hear_of_every_change(means, database, job, heard, act):
    """T127."""
    await on_its_own(database, act, means)

    assert await heard() == [f"job:{job.id}"]


async def test_nobody_hears_of_what_changed_nothing(means, database, job, heard):
    await on_its_own(database, define.update, means, ACTOR, "resize", UpdateJob(max_attempts=3))
    await on_its_own(database, pausing.resume, means, ACTOR, "resize")

    assert await heard() == []


async def test_of_changes_at_once_none_is_lost(means, database, job):
    async def change(attempts):
        said = UpdateJob(max_attempts=attempts)
        try:
            await on_its_own(database, define.update, means, ACTOR, "resize", said)
        except Conflict:
            return 0
        return 1

    written = sum(await asyncio.gather(*(change(10 + n) for n in range(8))))

    assert written >= 1
    assert (await on_its_own(database, define.get, ACTOR, "resize")).version == 1 + written


async def test_of_jobs_created_at_once_as_many_stand_as_may(means, database):
    """T88."""
    async with database.connection() as db:
        await db.raw.execute(
            "insert into project_quotas (project_id, max_jobs) values ($1, 3)", world.PROJECT
        )

    async def create(n):
        try:
            await on_its_own(database, define.create, means, ACTOR, named(f"job-{n}"))
        except LimitReached:
            return 0
        return 1

    assert sum(await asyncio.gather(*(create(n) for n in range(8)))) == 3


async def test_batches_that_want_the_same_slugs_do_not_block_each_other(means, database):
    slugs = [named(f"job-{n}") for n in range(20)]

    made = await asyncio.gather(
        on_its_own(database, batch.create, means, ACTOR, [*slugs, named("one")]),
        on_its_own(database, batch.create, means, ACTOR, [*reversed(slugs), named("two")]),
    )

    assert sorted(job.slug for each in made for job in each.created) == sorted(
        [*(said.slug for said in slugs), "one", "two"]
    )


async def test_a_batch_that_fails_on_our_side_leaves_nothing_behind(means, database):
    """A client that sends it again meets no halves of it."""
    keyless = means._replace(sealer=Sealer(None))
    jobs = [named("a"), named("b", endpoint_secret="s3cret")]

    with pytest.raises(Unavailable):
        await on_its_own(database, batch.create, keyless, ACTOR, jobs)

    async with database.connection() as db:
        assert await world.count(db, "jobs") == 0
