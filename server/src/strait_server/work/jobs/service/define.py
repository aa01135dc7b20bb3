"""Writing definitions: create, read, change, copy, delete.

What was said is judged before anything is written, and endpoints are looked up
before a transaction begins. A job is found by its id, or by its slug within
the actor's project (api 9); another project's job is not found (T73).
"""

from typing import Final, NamedTuple
from uuid import UUID

from msgspec import UNSET

from strait_server.base.db.connection import Connection
from strait_server.base.errors import Conflict, Invalid, LimitReached, NotFound
from strait_server.base.http.pages import Page, PageRequest, make_page
from strait_server.base.ids import as_id, new_id, token_hex, version_id
from strait_server.tenancy.access.model import Actor
from strait_server.work.jobs.model import (
    CloneJob,
    CreateJob,
    EndpointChange,
    Job,
    JobFilter,
    JobTerms,
    SetEndpoint,
    SlugTaken,
    UpdateJob,
)
from strait_server.work.jobs.rules import definition
from strait_server.work.jobs.service.means import Means, announce, change
from strait_server.work.jobs.store import jobs as store

_ENDPOINTS: Final = ("endpoint_url", "fallback_endpoint_url")
_SECRET: Final = {"table": "jobs", "column": "endpoint_secret"}
_SECRET_BYTES: Final = 32
_QUOTA_RETRY_SECONDS: Final = 60.0


class Draft(NamedTuple):
    """A job that may be created: judged, and its endpoints looked up."""

    terms: JobTerms
    secret: str | None


async def create(db: Connection, means: Means, actor: Actor, said: CreateJob) -> Job:
    """Create a job as version 1.

    Raises `Invalid`, `Forbidden` for another project than the actor's,
    `NotFound` for a project that does not exist, `SlugTaken`, and
    `LimitReached` when the project has as many jobs as it may.
    """
    drafted = await draft(means, actor.project_named(said.project_id), said)
    async with change(db, means, drafted.terms.id):
        return await insert(db, means, actor, drafted)


async def get(db: Connection, actor: Actor, reference: str) -> Job:
    """Find a job. An actor without a project has to know its id."""
    job_id = as_id(reference)
    return _found(await store.find(db, actor.project_id, job_id=job_id, slug=reference))


async def list_jobs(
    db: Connection, actor: Actor, wanted: JobFilter, page: PageRequest
) -> Page[Job]:
    """List the jobs of the actor's project, the newest first."""
    if wanted.tag_value is not None and wanted.tag_key is None:
        raise Invalid("tag_value requires tag_key")
    jobs = await store.list_jobs(db, actor.project, wanted, before=page.before, limit=page.rows)
    return make_page(jobs, page, lambda job: (job.created_at, job.id))


async def update(
    db: Connection, means: Means, actor: Actor, reference: str, said: UpdateJob
) -> Job:
    """Write what was said as the next version; if nothing changes, there is none.

    Raises `Conflict` when somebody else made a version since this one was read.
    """
    job = await get(db, actor, reference)
    wanted = definition.amended(job, said, means.defaults)
    secret = None if said.endpoint_secret is UNSET else said.endpoint_secret or ""
    definition.check(wanted, said)
    changed = definition.changes(job, wanted)
    if not changed and secret is None:
        return job
    await _check_endpoints(means, wanted, before=job)
    sealed = _sealed(means, job.id, secret)
    async with change(db, means, job.id):
        if secret is not None or changed - definition.UNVERSIONED:
            await _write(db, actor, job, wanted)
        if secret is not None:
            await store.set_secret(db, job.project_id, job.id, secret=sealed)
        if "enabled" in changed:
            await store.switch(db, job.project_id, job.id, enabled=wanted.enabled, by=actor.id)
        await announce(db, means, job.id, gating=bool(changed & definition.GATING))
        return await reread(db, job)


async def set_endpoint(
    db: Connection, means: Means, actor: Actor, reference: str, said: SetEndpoint
) -> EndpointChange:
    """Send the job's runs elsewhere. A new signing secret is told here and never again."""
    secret = f"esec_{token_hex(_SECRET_BYTES)}" if said.rotate_signing_secret else UNSET
    change_of_endpoint = UpdateJob(
        endpoint_url=said.endpoint_url,
        fallback_endpoint_url=said.fallback_endpoint_url,
        endpoint_secret=secret,
    )
    job = await update(db, means, actor, reference, change_of_endpoint)
    return EndpointChange(job=job, signing_secret=None if secret is UNSET else secret)


async def clone(db: Connection, means: Means, actor: Actor, reference: str, said: CloneJob) -> Job:
    """Create a job with the same terms and endpoint secret, as version 1 and not paused."""
    job = await get(db, actor, reference)
    terms = definition.copied(job, new_id(), said)
    definition.check(terms)
    await _check_endpoints(means, terms)
    sealed = await store.sealed_secret(db, job.project_id, job.id)
    secret = sealed and means.sealer.open(sealed, row_id=job.id, **_SECRET)
    async with change(db, means, terms.id):
        return await insert(db, means, actor, Draft(terms, secret))


async def delete(db: Connection, means: Means, actor: Actor, reference: str) -> None:
    """Delete a job, or raise `Conflict` while runs of it are under way (T126)."""
    job = await get(db, actor, reference)
    async with change(db, means, job.id):
        if not await store.lock(db, job.project_id, job.id):
            raise NotFound("job not found")
        if await store.is_active(db, job.id):
            raise Conflict("job has active runs — cancel them first or wait for completion")
        await store.delete(db, job.project_id, job.id)
        await announce(db, means, job.id, gating=False)


async def draft(means: Means, project_id: str, said: CreateJob) -> Draft:
    """Judge a new job without writing anything."""
    blank = definition.blank(new_id(), project_id, means.defaults)
    terms = definition.amended(blank, said, means.defaults)
    secret = said.endpoint_secret or None
    definition.check(terms, said)
    await _check_endpoints(means, terms)
    return Draft(terms, secret)


async def insert(db: Connection, means: Means, actor: Actor, drafted: Draft) -> Job:
    """Write a draft inside the caller's transaction."""
    terms, secret = drafted
    await _check_quota(db, terms.project_id)
    sealed = _sealed(means, terms.id, secret)
    if not await store.insert(db, terms, secret=sealed, version_id=version_id(), by=actor.id):
        raise SlugTaken(terms.slug)
    await announce(db, means, terms.id, gating=False)
    return await reread(db, terms)


async def reread(db: Connection, job: JobTerms) -> Job:
    """Read what has become of a job within a change."""
    return _found(await store.find(db, job.project_id, job_id=job.id))


def _found(job: Job | None) -> Job:
    if job is None:
        raise NotFound("job not found")
    return job


async def _write(db: Connection, actor: Actor, job: Job, wanted: JobTerms) -> None:
    """Make the next version, unless somebody else made one meanwhile."""
    if not await store.update(
        db, wanted, version=job.version, version_id=version_id(), by=actor.id
    ):
        await reread(db, job)  # it may have been deleted
        raise Conflict("job was modified concurrently -- retry with latest version")


async def _check_quota(db: Connection, project_id: str) -> None:
    limit = await store.job_limit(db, project_id)
    if limit is None:
        raise NotFound("project not found")
    if limit > 0:
        await store.lock_count(db, project_id)
        if await store.count(db, project_id) >= limit:
            raise LimitReached("project jobs quota exceeded", retry_after=_QUOTA_RETRY_SECONDS)


async def _check_endpoints(means: Means, terms: JobTerms, *, before: Job | None = None) -> None:
    """Refuse what must not be called; what stays as it is was looked up before."""
    refusals: list[str] = []
    for field in _ENDPOINTS:
        url: str | None = getattr(terms, field)
        if url and (before is None or url != getattr(before, field)):
            try:
                await means.resolver.check_url(url, means.endpoints, field=field)
            except Invalid as refusal:
                refusals.append(refusal.message)
    if refusals:
        raise Invalid(refusals[0], problems=refusals)


def _sealed(means: Means, job_id: UUID, secret: str | None) -> str | None:
    return means.sealer.seal(secret, row_id=job_id, **_SECRET) if secret else None
