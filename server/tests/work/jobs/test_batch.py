"""Several jobs at once (api 9.3; trap T73)."""

import pytest

from strait_server.base.errors import Forbidden, Invalid, NotFound
from strait_server.base.ids import new_id
from strait_server.work.jobs.model import CreateJob, NothingCreated
from strait_server.work.jobs.service import batch, define

URL = "https://svc.example/"


def named(*slugs, **fields):
    return [CreateJob(name=slug, slug=slug, endpoint_url=URL, **fields) for slug in slugs]


async def test_jobs_are_created_in_the_order_they_were_given(db, means, actor):
    made = await batch.create(db, means, actor, named("b", "c", "a"))

    assert [job.slug for job in made.created] == ["b", "c", "a"]
    assert made.errors == []


async def test_each_refusal_says_which_job_and_why(db, means, actor):
    jobs = [*named("a", "a"), CreateJob(slug="c"), *named("d")]

    made = await batch.create(db, means, actor, jobs)

    assert [job.slug for job in made.created] == ["a", "d"]
    assert [(error.index, error.message) for error in made.errors] == [
        (1, 'job with slug "a" already exists: job slug conflict'),
        (2, "validation failed"),
    ]
    assert list(made.errors[1].details) == [
        "name: failed on 'required'",
        "endpoint_url: failed on 'required'",
    ]


async def test_a_batch_of_which_nothing_is_left_is_refused(db, means, actor):
    await batch.create(db, means, actor, named("a"))

    with pytest.raises(NothingCreated) as refused:
        await batch.create(db, means, actor, named("a"))
    assert refused.value.extra["created"] == []
    assert [error.index for error in refused.value.extra["errors"]] == [0]


@pytest.mark.parametrize("size", [0, 51])
async def test_a_batch_has_1_to_50_jobs(db, means, actor, size):
    with pytest.raises(Invalid) as refused:
        await batch.create(db, means, actor, named(*map(str, range(size))))
    assert list(refused.value.problems) == ["jobs: must have between 1 and 50 entries"]


async def test_a_batch_fills_the_quota_and_no_more(db, means, actor):
    await db.raw.execute("insert into project_quotas (project_id, max_jobs) values ('proj_1', 2)")

    made = await batch.create(db, means, actor, named("a", "b", "c"))

    assert len(made.created) == 2
    assert [error.message for error in made.errors] == ["project jobs quota exceeded"]


async def test_one_job_for_another_project_refuses_the_whole_batch(db, means, actor, stranger):
    """T73."""
    with pytest.raises(Forbidden, match=r"^access denied$"):
        await batch.create(db, means, actor, [*named("a"), *named("b", project_id="proj_2")])
    with pytest.raises(NotFound):
        await define.get(db, actor, "a")


async def test_jobs_are_switched_by_id_or_slug(db, means, actor):
    made = await batch.create(db, means, actor, named("a", "b", "c"))

    switched = await batch.switch(
        db, means, actor, [str(made.created[0].id), "b", "nothing"], enabled=False
    )

    assert switched == 2
    assert await enabled_slugs(db, actor) == {"c"}


async def test_switching_again_changes_nothing(db, means, actor):
    await batch.create(db, means, actor, named("a", "b"))
    await batch.switch(db, means, actor, ["a"], enabled=False)

    assert await batch.switch(db, means, actor, ["a"], enabled=False) == 1
    assert await batch.switch(db, means, actor, ["a", "b"], enabled=True) == 2

    assert await enabled_slugs(db, actor) == {"a", "b"}
    revisions = await db.raw.fetch("select slug, revision from jobs order by slug")
    assert [tuple(row) for row in revisions] == [("a", 3), ("b", 1)]


async def test_another_projects_job_is_passed_over(db, means, actor, stranger):
    """T73."""
    theirs = await define.create(db, means, stranger, *named("a"))

    assert await batch.switch(db, means, actor, [str(theirs.id), "a"], enabled=False) == 0
    assert await enabled_slugs(db, stranger) == {"a"}


@pytest.mark.parametrize("size", [0, 51])
async def test_1_to_50_jobs_are_switched(db, means, actor, size):
    with pytest.raises(Invalid) as refused:
        await batch.switch(db, means, actor, [str(new_id())] * size, enabled=True)
    assert list(refused.value.problems) == ["ids: must have between 1 and 50 entries"]


async def enabled_slugs(db, actor):
    rows = await db.raw.fetch(
        "select slug from jobs where enabled and project_id = $1", actor.project_id
    )
    return {row["slug"] for row in rows}
