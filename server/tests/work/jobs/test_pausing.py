"""Pausing, switching and limiting a job moves its waiting runs (behaviour 16.1, api 9.3)."""

import pytest
import world

from strait_server.base.errors import Invalid
from strait_server.work.jobs.model import CreateJob, UpdateJob
from strait_server.work.jobs.service import batch, define, pausing


@pytest.fixture
async def job(db, means, actor):
    said = CreateJob(name="Resize", slug="resize", endpoint_url="https://svc.example/")
    return await define.create(db, means, actor, said)


async def two_runs(db, job):
    await world.queued(db, await world.the_job(db, job.id), 2)


async def whereabouts(db):
    """How many runs may be claimed, and how many are held back."""
    return await world.count(db, "queue"), await world.count(db, "blocked")


async def test_a_paused_job_says_since_when_and_why(db, means, actor, job):
    paused = await pausing.pause(db, means, actor, "resize", reason="holiday")

    assert (paused.paused, paused.pause_reason) == (True, "holiday")
    assert paused.paused_at is not None
    assert (paused.version, paused.version_id) == (1, job.version_id)


async def test_pausing_again_changes_nothing(db, means, actor, job):
    first = await pausing.pause(db, means, actor, "resize", reason="holiday")

    assert await pausing.pause(db, means, actor, "resize", reason="other") == first


async def test_a_resumed_job_forgets_the_pause(db, means, actor, job):
    await pausing.pause(db, means, actor, "resize", reason="holiday")

    resumed = await pausing.resume(db, means, actor, "resize")

    assert (resumed.paused, resumed.paused_at, resumed.pause_reason) == (False, None, None)
    assert resumed.version == 1
    assert await pausing.resume(db, means, actor, "resize") == resumed


async def test_each_change_raises_the_revision(db, means, actor, job):
    await pausing.pause(db, means, actor, "resize", reason=None)
    await pausing.pause(db, means, actor, "resize", reason=None)
    await pausing.resume(db, means, actor, "resize")

    assert await db.raw.fetchval("select revision from jobs") == 3


async def test_a_reason_has_a_longest_length(db, means, actor, job):
    await pausing.pause(db, means, actor, "resize", reason="x" * 500)

    with pytest.raises(Invalid) as refused:
        await pausing.pause(db, means, actor, "resize", reason="x" * 501)
    assert list(refused.value.problems) == ["reason: must have at most 500 characters"]


async def test_runs_of_a_paused_job_wait_until_it_is_resumed(db, means, actor, job):
    await two_runs(db, job)

    await pausing.pause(db, means, actor, "resize", reason=None)
    assert await whereabouts(db) == (0, 2)

    await pausing.resume(db, means, actor, "resize")
    assert await whereabouts(db) == (2, 0)


async def test_runs_of_a_disabled_job_wait_until_it_is_enabled(db, means, actor, job):
    await two_runs(db, job)

    await batch.switch(db, means, actor, ["resize"], enabled=False)
    assert await whereabouts(db) == (0, 2)

    await define.update(db, means, actor, "resize", UpdateJob(enabled=True))
    assert await whereabouts(db) == (2, 0)


async def test_a_new_limit_holds_for_runs_that_wait_already(db, means, actor, job):
    """T6b: and zero lifts it."""
    await two_runs(db, job)

    await define.update(db, means, actor, "resize", UpdateJob(max_concurrency=1))
    assert await whereabouts(db) == (1, 1)

    await define.update(db, means, actor, "resize", UpdateJob(max_concurrency=0))
    assert await whereabouts(db) == (2, 0)


async def test_another_change_leaves_waiting_runs_where_they_are(db, means, actor, job):
    await two_runs(db, job)
    before = await db.raw.fetch("select ctid, run_id from queue order by ord")

    await define.update(db, means, actor, "resize", UpdateJob(max_attempts=5))

    assert await db.raw.fetch("select ctid, run_id from queue order by ord") == before
