"""Every process's copies of definitions (behaviour 16.1; trap T127)."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import world

from strait_server.base.db.database import Database
from strait_server.work.jobs.service.definitions import Definitions


class Slow(Database):
    """A database whose answers are on their way until told."""

    def __init__(self, dsn):
        super().__init__(dsn)
        self.has_read = asyncio.Event()
        self.may_answer = asyncio.Event()

    @asynccontextmanager
    async def connection(self, project_id=None):
        async with super().connection(project_id) as db:
            yield db
        self.has_read.set()
        await self.may_answer.wait()


@pytest.fixture
async def slow(database):
    slow = Slow(database.dsn)
    yield slow
    await slow.close()


@pytest.fixture
async def job(db, database):
    return await world.a_job(db, slug="resize", max_attempts=3)


async def test_whoever_asks_after_a_change_does_not_get_an_earlier_reading(db, job, slow):
    """T127: also when that is still on its way."""
    definitions = Definitions(slow, ttl_seconds=300)
    early = asyncio.create_task(definitions.by_reference(world.PROJECT, "resize"))
    await slow.has_read.wait()

    await world.change_job(db, job, max_attempts=9)
    definitions.forget(f"job:{job.id}")
    late = asyncio.create_task(definitions.by_reference(world.PROJECT, "resize"))
    slow.may_answer.set()

    assert (await early).job.max_attempts == 3
    assert (await late).job.max_attempts == 9
    assert (await definitions.by_reference(world.PROJECT, "resize")).job.max_attempts == 9


async def test_a_change_of_one_job_leaves_the_copies_of_others(db, database, job):
    definitions = Definitions(database, ttl_seconds=300)
    other = await world.a_job(db, slug="shrink")
    await definitions.by_id(job.id)
    copies = [await definitions.by_reference(world.PROJECT, it.slug) for it in (other, job)]

    await world.change_job(db, job, max_attempts=9)
    definitions.forget(f"job:{job.id}")

    assert await definitions.by_reference(world.PROJECT, "shrink") is copies[0]
    assert await definitions.by_reference(world.PROJECT, "resize") is not copies[1]
    assert (await definitions.by_id(job.id)).job.max_attempts == 9
    definitions.forget(f"project:{world.PROJECT}")
    assert await definitions.by_reference(world.PROJECT, other.slug) is not copies[0]


async def test_callers_that_miss_at_once_share_a_reading(db, job, slow):
    definitions = Definitions(slow, ttl_seconds=300)
    asking = [
        asyncio.create_task(definitions.by_reference(world.PROJECT, "resize")) for _ in range(5)
    ]
    slow.may_answer.set()

    copies = await asyncio.gather(*asking)

    assert len({id(copy) for copy in copies}) == 1


async def test_a_copy_is_not_older_than_the_revision_asked_for(db, database, job):
    """T127."""
    definitions = Definitions(database, ttl_seconds=300)
    await definitions.by_id(job.id)
    await world.change_job(db, job, max_attempts=9)

    assert (await definitions.by_id(job.id)).job.max_attempts == 3
    assert (await definitions.by_id(job.id, revision=job.revision + 1)).job.max_attempts == 9


async def test_an_id_goes_before_a_slug_that_looks_like_it(db, database, job):
    definitions = Definitions(database, ttl_seconds=300)
    await world.a_job(db, slug=str(job.id))

    found = await definitions.by_reference(world.PROJECT, str(job.id))

    assert found.job.id == job.id


async def test_the_job_of_another_project_is_none(db, database, job):
    """T73."""
    definitions = Definitions(database, ttl_seconds=300)

    for reference in ("resize", str(job.id)):
        assert await definitions.by_reference("proj_2", reference) is None


async def test_without_a_lifetime_nothing_is_remembered(db, database, job):
    definitions = Definitions(database, ttl_seconds=0)
    await definitions.by_id(job.id)
    await world.change_job(db, job, max_attempts=9)

    assert (await definitions.by_id(job.id)).job.max_attempts == 9
