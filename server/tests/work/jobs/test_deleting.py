"""Deleting jobs (api 9.3, behaviour 16.1; trap T126)."""

from datetime import UTC, datetime, timedelta

import pytest
import world

from strait_server.base.errors import Conflict, NotFound
from strait_server.base.ids import new_id
from strait_server.work.jobs.model import CreateJob, UpdateJob
from strait_server.work.jobs.service import define, pausing


async def a_job(db, means, actor, **fields):
    sound = {"name": "Resize", "slug": "resize", "endpoint_url": "https://svc.example/resize"}
    return await define.create(db, means, actor, CreateJob(**{**sound, **fields}))


async def a_run(db, job, **fields):
    """Trigger the job."""
    [run] = await world.queued(db, await world.the_job(db, job.id), 1, **fields)
    return run


async def test_a_deleted_job_is_gone(db, means, actor):
    job = await a_job(db, means, actor)

    await define.delete(db, means, actor, "resize")

    with pytest.raises(NotFound):
        await define.get(db, actor, str(job.id))
    with pytest.raises(NotFound):
        await define.delete(db, means, actor, str(job.id))


@pytest.mark.parametrize("place", ["queue", "later", "gate", "pause", "worker"])
async def test_a_job_with_runs_under_way_is_not_deleted(db, means, actor, place):
    """T126."""
    job = await a_job(db, means, actor)
    later = datetime.now(UTC) + timedelta(days=1) if place == "later" else None
    await a_run(db, job, scheduled_at=later)
    match place:
        case "gate":
            await define.update(db, means, actor, "resize", UpdateJob(max_concurrency=1))
            await a_run(db, job)
        case "pause":
            await pausing.pause(db, means, actor, "resize", reason=None)
        case "worker":
            assert await world.claim_all(db)
        case _:
            pass

    with pytest.raises(
        Conflict, match=r"^job has active runs — cancel them first or wait for completion$"
    ):
        await define.delete(db, means, actor, "resize")


async def test_a_job_whose_runs_were_canceled_can_be_deleted(db, means, actor):
    job = await a_job(db, means, actor)
    run = await a_run(db, job)
    await world.cancel(db, run.id)

    await define.delete(db, means, actor, "resize")

    assert await world.count(db, "jobs") == 0


async def test_a_deleted_job_takes_its_secrets_along(db, means, actor):
    """T126."""
    job = await a_job(db, means, actor)
    await db.raw.execute(
        "insert into secrets (id, project_id, job_id, secret_key, sealed)"
        " values ($1, 'proj_1', $2, 'TOKEN', 'k1.x.y')",
        new_id(),
        job.id,
    )

    await define.delete(db, means, actor, "resize")

    assert await db.raw.fetchval("select count(*) from secrets") == 0
