"""Several jobs at once (api 9.3)."""

import asyncio
from collections.abc import Sequence

from strait_server.base.db.connection import Connection
from strait_server.base.errors import Conflict, Invalid, LimitReached, NotFound, StraitError
from strait_server.base.ids import as_id
from strait_server.tenancy.access.model import Actor
from strait_server.work.jobs.model import (
    MAX_BATCH,
    BatchRefusal,
    CreateJob,
    Job,
    JobBatch,
    NothingCreated,
)
from strait_server.work.jobs.service import define
from strait_server.work.jobs.service.define import Draft
from strait_server.work.jobs.service.means import Means, announce, change
from strait_server.work.jobs.store import jobs as store


async def create(db: Connection, means: Means, actor: Actor, jobs: Sequence[CreateJob]) -> JobBatch:
    """Create those that can be, in one transaction, and say why the others were refused.

    Raises `NothingCreated` when that is all of them, and `Forbidden` for the
    whole batch if one of them is for another project.
    """
    _check_size("jobs", len(jobs))
    projects = [actor.project_named(said.project_id) for said in jobs]
    async with asyncio.TaskGroup() as group:
        judging = [
            group.create_task(_judge(means, project_id, said))
            for project_id, said in zip(projects, jobs, strict=True)
        ]
    judged = dict(enumerate(task.result() for task in judging))
    drafts = {place: each for place, each in judged.items() if isinstance(each, Draft)}
    refusals: dict[int, StraitError] = {
        place: each for place, each in judged.items() if isinstance(each, StraitError)
    }
    created: dict[int, Job] = {}
    async with change(db, means, *(draft.terms.id for draft in drafts.values())):
        # In the order of their unique keys, so that no two batches wait for each other.
        for place in sorted(drafts, key=lambda place: _key(drafts[place])):
            try:
                created[place] = await define.insert(db, means, actor, drafts[place])
            except (Conflict, LimitReached, NotFound) as refusal:
                refusals[place] = refusal
    batch = JobBatch(
        created=[created[place] for place in sorted(created)],
        errors=[_told(place, refusals[place]) for place in sorted(refusals)],
    )
    if not created:
        raise NothingCreated(batch)
    return batch


async def switch(
    db: Connection,
    means: Means,
    actor: Actor,
    references: Sequence[str],
    *,
    enabled: bool,
    field: str = "ids",
) -> int:
    """Enable or disable the jobs that `field` names; answer how many are the project's own.

    Each in its own transaction: two jobs' gates are never locked at once, and
    what is repeated after a failure changes nothing twice.
    """
    _check_size(field, len(references))
    ids = [job_id for job_id in map(as_id, references) if job_id]
    named = await store.named(db, actor.project, ids=ids, slugs=references)
    for job_id in named:
        async with change(db, means, job_id):
            if await store.switch(db, actor.project, job_id, enabled=enabled, by=actor.id):
                await announce(db, means, job_id, gating=True)
    return len(named)


async def _judge(means: Means, project_id: str, said: CreateJob) -> Draft | Invalid:
    try:
        return await define.draft(means, project_id, said)
    except Invalid as refusal:
        return refusal


def _check_size(field: str, size: int) -> None:
    if not 1 <= size <= MAX_BATCH:
        problem = f"{field}: must have between 1 and {MAX_BATCH} entries"
        raise Invalid("validation failed", problems=[problem])


def _key(draft: Draft) -> tuple[str, str]:
    return draft.terms.project_id, draft.terms.slug


def _told(place: int, refusal: StraitError) -> BatchRefusal:
    return BatchRefusal(index=place, message=refusal.message, details=refusal.problems)
