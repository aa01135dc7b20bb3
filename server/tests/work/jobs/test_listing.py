"""Lists of jobs (api 4, 9.3; trap T94)."""

import pytest

from strait_server.base.errors import Invalid
from strait_server.base.http.pages import PageRequest, read_page
from strait_server.tenancy.access.model import Actor, ActorType
from strait_server.work.jobs.model import CreateJob, JobFilter
from strait_server.work.jobs.service import define

INTERNAL = Actor(id="internal", type=ActorType.INTERNAL)


async def a_job(db, means, actor, **fields):
    sound = {"name": "Resize", "slug": "resize", "endpoint_url": "https://svc.example/resize"}
    return await define.create(db, means, actor, CreateJob(**{**sound, **fields}))


async def shown(db, actor, **wanted):
    page = await define.list_jobs(db, actor, JobFilter(**wanted), PageRequest())
    return [job.slug for job in page.data]


async def test_a_list_shows_the_projects_jobs_the_newest_first(db, means, actor, stranger):
    for slug in ("one", "two", "three"):
        await a_job(db, means, actor, slug=slug)
    await a_job(db, means, stranger, slug="four")

    assert await shown(db, actor) == ["three", "two", "one"]


async def test_a_list_goes_on_after_equal_times(db, means, actor):
    """T94."""
    for slug in ("one", "two", "three"):
        await a_job(db, means, actor, slug=slug)
    await db.raw.execute("update jobs set created_at = now()")

    first = await define.list_jobs(db, actor, JobFilter(), PageRequest(limit=2))
    rest = await define.list_jobs(db, actor, JobFilter(), read_page("2", first.next_cursor))

    assert [job.slug for job in first.data] == ["three", "two"]
    assert [job.slug for job in rest.data] == ["one"]
    assert not rest.has_more


async def test_a_list_can_be_narrowed(db, means, actor):
    await a_job(db, means, actor, slug="one", tags={"team": "media", "tier": "1"})
    await a_job(db, means, actor, slug="two", tags={"team": "sales"})
    await a_job(db, means, actor, slug="three", enabled=False)

    assert await shown(db, actor, tag_key="team") == ["two", "one"]
    assert await shown(db, actor, tag_key="team", tag_value="media") == ["one"]
    assert await shown(db, actor, tag_key="tier", tag_value="2") == []
    assert await shown(db, actor, slug="two") == ["two"]
    assert await shown(db, actor, enabled=False) == ["three"]
    assert await shown(db, actor, enabled=True) == ["two", "one"]


async def test_a_tag_value_needs_its_key(db, actor):
    with pytest.raises(Invalid, match=r"^tag_value requires tag_key$"):
        await shown(db, actor, tag_value="media")


async def test_a_list_belongs_to_a_project(db):
    with pytest.raises(Invalid, match=r"^project_id is required$"):
        await shown(db, INTERNAL)
