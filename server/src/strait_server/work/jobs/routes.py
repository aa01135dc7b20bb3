"""HTTP face of jobs (api 9.3). `{job_id}` is an id or, within the project, a slug."""

from typing import Annotated, TypeAlias

from litestar import Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.http.guards import ACROSS_PROJECTS, at_most, requires
from strait_server.base.http.pages import Page
from strait_server.base.http.params import (
    Db,
    Flag,
    FromPath,
    FromQuery,
    JSONBody,
    Paging,
    is_set,
)
from strait_server.tenancy.access.model import Actor
from strait_server.work.jobs.model import (
    MAX_BATCH,
    MAX_REASON,
    CloneJob,
    CreateJob,
    EndpointChange,
    Job,
    JobBatch,
    JobFilter,
    SetEndpoint,
    UpdateJob,
    told,
)
from strait_server.work.jobs.service import batch, define, pausing
from strait_server.work.jobs.service.means import Means

References = Annotated[tuple[str, ...], told(maxItems=MAX_BATCH)]
JobMeans: TypeAlias = NamedDependency[SkipValidation[Means]]


class CreateJobs(Struct, frozen=True, kw_only=True):
    """Body of the request for several jobs, 1 to 50."""

    jobs: Annotated[tuple[CreateJob, ...], told(minItems=1, maxItems=MAX_BATCH)] = ()


class SwitchJobs(Struct, frozen=True, kw_only=True):
    """Body of the request to enable or disable jobs, 1 to 50, by id or slug."""

    ids: References = ()
    job_ids: References = ()


class SwitchedJobs(Struct, frozen=True):
    """How many of the jobs there are; each of them now is as was asked."""

    updated: int


class PauseJob(Struct, frozen=True, kw_only=True):
    """Body of the request to pause a job."""

    reason: Annotated[str, told(maxLength=MAX_REASON)] | None = None


@post(
    "/",
    operation_id="createJob",
    guards=[requires("jobs:write"), at_most(30)],
    opt=ACROSS_PROJECTS,
)
async def create_job(
    data: JSONBody[CreateJob], actor: NamedDependency[Actor], job_means: JobMeans, db: Db
) -> Job:
    """Create a job as version 1, enabled and not paused.

    Everything that is wrong with it is told at once. A slug that another job
    of the project has answers 409, a project with as many jobs as it may 429.
    `endpoint_secret` signs what is sent to the endpoint, and is never shown.
    """
    return await define.create(db, job_means, actor, data)


@get("/", operation_id="listJobs", guards=[requires("jobs:read")])
async def list_jobs(
    page: Paging,
    actor: NamedDependency[Actor],
    db: Db,
    *,
    slug: FromQuery[str | None] = None,
    enabled: FromQuery[Flag | None] = None,
    tag_key: FromQuery[str | None] = None,
    tag_value: FromQuery[str | None] = None,
) -> Page[Job]:
    """List the project's jobs, the newest first.

    `tag_key` shows those that have the tag, with `tag_value` those where it
    has this value.
    """
    wanted = JobFilter(
        slug=slug or None,
        enabled=None if enabled is None else is_set(enabled),
        tag_key=tag_key or None,
        tag_value=tag_value,
    )
    return await define.list_jobs(db, actor, wanted, page)


@get("/{job_id:str}", operation_id="getJob", guards=[requires("jobs:read")])
async def get_job(job_id: FromPath[str], actor: NamedDependency[Actor], db: Db) -> Job:
    """Get a job by its id or slug."""
    return await define.get(db, actor, job_id)


@patch("/{job_id:str}", operation_id="updateJob", guards=[requires("jobs:write")])
async def update_job(
    job_id: FromPath[str],
    data: JSONBody[UpdateJob],
    actor: NamedDependency[Actor],
    job_means: JobMeans,
    db: Db,
) -> Job:
    """Change what is named, as the job's next version; what is absent stays as it is.

    An empty value clears an optional field, null brings any field back to its
    default. What changes nothing, and `enabled`, makes no version. When
    somebody else made a version meanwhile, answers 409.
    """
    return await define.update(db, job_means, actor, job_id, data)


@delete("/{job_id:str}", operation_id="deleteJob", guards=[requires("jobs:write")])
async def delete_job(
    job_id: FromPath[str], actor: NamedDependency[Actor], job_means: JobMeans, db: Db
) -> None:
    """Delete a job and its secrets. While runs of it are under way, answers 409."""
    await define.delete(db, job_means, actor, job_id)


@post("/{job_id:str}/clone", operation_id="cloneJob", guards=[requires("jobs:write"), at_most(30)])
async def clone_job(
    job_id: FromPath[str],
    data: JSONBody[CloneJob],
    actor: NamedDependency[Actor],
    job_means: JobMeans,
    db: Db,
) -> Job:
    """Create a job with the same terms, as version 1 and not paused."""
    return await define.clone(db, job_means, actor, job_id, data)


@post(
    "/{job_id:str}/endpoint",
    operation_id="setJobEndpoint",
    status_code=200,
    guards=[requires("jobs:write")],
)
async def set_job_endpoint(
    job_id: FromPath[str],
    data: JSONBody[SetEndpoint],
    actor: NamedDependency[Actor],
    job_means: JobMeans,
    db: Db,
) -> EndpointChange:
    """Send the job's runs elsewhere, as its next version.

    With `rotate_signing_secret` it gets a new endpoint secret. The answer is
    the only one that contains it.
    """
    return await define.set_endpoint(db, job_means, actor, job_id, data)


@post(
    "/{job_id:str}/pause",
    operation_id="pauseJob",
    status_code=200,
    guards=[requires("jobs:write")],
)
async def pause_job(
    job_id: FromPath[str],
    data: JSONBody[PauseJob],
    actor: NamedDependency[Actor],
    job_means: JobMeans,
    db: Db,
) -> Job:
    """Hold the job's runs back: those that wait stay, and new triggers are refused.

    Runs that are executing go on. Pausing again changes nothing.
    """
    return await pausing.pause(db, job_means, actor, job_id, reason=data.reason)


@post(
    "/{job_id:str}/resume",
    operation_id="resumeJob",
    status_code=200,
    guards=[requires("jobs:write")],
)
async def resume_job(
    job_id: FromPath[str], actor: NamedDependency[Actor], job_means: JobMeans, db: Db
) -> Job:
    """Let the runs of a paused job go on. Resuming again changes nothing."""
    return await pausing.resume(db, job_means, actor, job_id)


@post(
    "/batch",
    operation_id="batchCreateJobs",
    guards=[requires("jobs:write"), at_most(10)],
    opt=ACROSS_PROJECTS,
)
async def batch_create_jobs(
    data: JSONBody[CreateJobs], actor: NamedDependency[Actor], job_means: JobMeans, db: Db
) -> JobBatch:
    """Create up to 50 jobs, each by itself: `errors` tells which were refused, and why.

    If that is all of them, answers 400 with the same body.
    """
    return await batch.create(db, job_means, actor, data.jobs)


@post(
    "/batch-enable",
    operation_id="batchEnableJobs",
    status_code=200,
    guards=[requires("jobs:write")],
)
async def batch_enable_jobs(
    data: JSONBody[SwitchJobs], actor: NamedDependency[Actor], job_means: JobMeans, db: Db
) -> SwitchedJobs:
    """Enable up to 50 jobs. Ids that are not the project's are passed over."""
    return await _switch(db, job_means, actor, data, enabled=True)


@post(
    "/batch-disable",
    operation_id="batchDisableJobs",
    status_code=200,
    guards=[requires("jobs:write")],
)
async def batch_disable_jobs(
    data: JSONBody[SwitchJobs], actor: NamedDependency[Actor], job_means: JobMeans, db: Db
) -> SwitchedJobs:
    """Disable up to 50 jobs: their runs wait. Ids that are not the project's are passed over."""
    return await _switch(db, job_means, actor, data, enabled=False)


async def _switch(
    db: Connection, means: Means, actor: Actor, said: SwitchJobs, *, enabled: bool
) -> SwitchedJobs:
    references = said.ids + said.job_ids
    field = "ids" if said.ids or not said.job_ids else "job_ids"
    updated = await batch.switch(db, means, actor, references, field=field, enabled=enabled)
    return SwitchedJobs(updated)


router = Router(
    "/v1/jobs",
    route_handlers=[
        create_job,
        list_jobs,
        get_job,
        update_job,
        delete_job,
        clone_job,
        set_job_endpoint,
        pause_job,
        resume_job,
        batch_create_jobs,
        batch_enable_jobs,
        batch_disable_jobs,
    ],
    tags=["jobs"],
)
