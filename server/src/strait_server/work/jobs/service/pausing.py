"""Pausing and resuming: runs of a paused job are kept, and wait (behaviour 16.1)."""

from strait_server.base.db.connection import Connection
from strait_server.base.errors import Invalid
from strait_server.tenancy.access.model import Actor
from strait_server.work.jobs.model import MAX_REASON, Job
from strait_server.work.jobs.service.define import get, reread
from strait_server.work.jobs.service.means import Means, announce, change
from strait_server.work.jobs.store import jobs as store


async def pause(
    db: Connection, means: Means, actor: Actor, reference: str, *, reason: str | None
) -> Job:
    """Hold a job's runs back. One that is paused already keeps its first reason."""
    if len(reason or "") > MAX_REASON:
        problem = f"reason: must have at most {MAX_REASON} characters"
        raise Invalid("validation failed", problems=[problem])
    job = await get(db, actor, reference)
    async with change(db, means, job.id):
        if await store.pause(db, job.project_id, job.id, reason=reason or None, by=actor.id):
            await announce(db, means, job.id, gating=True)
        return await reread(db, job)


async def resume(db: Connection, means: Means, actor: Actor, reference: str) -> Job:
    """Let a job's runs go on, as far as there is room for them."""
    job = await get(db, actor, reference)
    async with change(db, means, job.id):
        if await store.resume(db, job.project_id, job.id, by=actor.id):
            await announce(db, means, job.id, gating=True)
        return await reread(db, job)
