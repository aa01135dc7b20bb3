"""Looking at runs (api 9.9): lists, stories, reasons, counts."""

from typing import Annotated, Final, TypeAlias

from litestar import get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter, SkipValidation

from strait_server.base.http.guards import requires
from strait_server.base.http.pages import Page
from strait_server.base.http.params import Db, FromPath, FromQuery, Paging
from strait_server.tenancy.access.model import Actor
from strait_server.work.queue.model import Run, RunEvent
from strait_server.work.runs.model import AskedRuns, Explanation, Stats
from strait_server.work.runs.service import explaining, listing, reading
from strait_server.work.runs.service.means import Means
from strait_server.work.runs.service.references import read_id

RunMeans: TypeAlias = NamedDependency[SkipValidation[Means]]
Wanted: TypeAlias = NamedDependency[SkipValidation[AskedRuns]]


def wanted_of(  # noqa: PLR0913 - as many as the list has filters
    *,
    status: FromQuery[str | None] = None,
    statuses: FromQuery[list[str] | None] = None,
    job: Annotated[str | None, QueryParameter(name="job_id")] = None,  # a path has one, too
    batch_id: FromQuery[str | None] = None,
    workflow_run_id: FromQuery[str | None] = None,
    triggered_by: FromQuery[str | None] = None,
    execution_mode: FromQuery[str | None] = None,
    error_class: FromQuery[str | None] = None,
    tag_key: FromQuery[str | None] = None,
    tag_value: FromQuery[str | None] = None,
    metadata_key: FromQuery[str | None] = None,
    metadata_value: FromQuery[str | None] = None,
    payload_contains: FromQuery[str | None] = None,
    created_after: FromQuery[str | None] = None,
    created_before: FromQuery[str | None] = None,
) -> AskedRuns:
    """Gather what a list of runs is asked for."""
    return AskedRuns(
        status=status,
        statuses=tuple(statuses or ()),
        job_id=job,
        batch_id=batch_id,
        workflow_run_id=workflow_run_id,
        triggered_by=triggered_by,
        execution_mode=execution_mode,
        error_class=error_class,
        tag_key=tag_key,
        tag_value=tag_value,
        metadata_key=metadata_key,
        metadata_value=metadata_value,
        payload_contains=payload_contains,
        created_after=created_after,
        created_before=created_before,
    )


_WANTED = {"wanted": Provide(wanted_of, sync_to_thread=False)}


@get(
    "/v1/runs",
    operation_id="listRuns",
    guards=[requires("runs:read")],
    dependencies=_WANTED,
    opt={"also_fails_with": (404,)},
)
async def list_runs(
    page: Paging, wanted: Wanted, actor: NamedDependency[Actor], run_means: RunMeans, db: Db
) -> Page[Run]:
    """List the project's runs, the newest first.

    A run is shown if it meets every filter that is given. `statuses` may be
    repeated or hold a list with commas; `job_id` is an id or a slug;
    `payload_contains` is a JSON document that the payload must contain.
    Payloads and results of more than 16 KiB are left out here: get the run.
    """
    return await listing.list_runs(db, run_means, actor.project, wanted, page)


@get(
    "/v1/jobs/{job_id:str}/runs",
    operation_id="listJobRuns",
    guards=[requires("runs:read")],
    dependencies=_WANTED,
)
async def list_job_runs(
    page: Paging,
    wanted: Wanted,
    job_id: FromPath[str],
    actor: NamedDependency[Actor],
    run_means: RunMeans,
    db: Db,
) -> Page[Run]:
    """List the runs of a job, the newest first. Takes the filters of the list of all runs."""
    return await listing.list_of_job(db, run_means, actor.project, job_id, wanted, page)


@get(
    "/v1/runs/{run_id:str}/children", operation_id="listRunChildren", guards=[requires("runs:read")]
)
async def list_run_children(
    page: Paging, run_id: FromPath[str], actor: NamedDependency[Actor], db: Db
) -> Page[Run]:
    """List the runs that a run brought about, the oldest first."""
    return await reading.children(db, actor.project_id, read_id(run_id), page)


@get("/v1/runs/{run_id:str}/events", operation_id="listRunEvents", guards=[requires("runs:read")])
async def list_run_events(
    page: Paging,
    run_id: FromPath[str],
    actor: NamedDependency[Actor],
    db: Db,
    *,
    event_type: Annotated[str | None, QueryParameter(name="type")] = None,
    level: FromQuery[str | None] = None,
) -> Page[RunEvent]:
    """Tell the story of a run from its beginning: its moves, and what its code reported.

    `level=error` shows `critical` too. A run keeps its newest 10,000 events.
    """
    return await reading.events(
        db,
        actor.project_id,
        read_id(run_id),
        page,
        event_type=event_type or None,
        level=level or None,
    )


@get("/v1/runs/{run_id:str}/explain", operation_id="explainRun", guards=[requires("runs:read")])
async def explain_run(
    run_id: FromPath[str], actor: NamedDependency[Actor], run_means: RunMeans, db: Db
) -> Explanation:
    """Say why a run does or does not move.

    `summary` is for people. `gates` lists what the run has to pass: what holds
    it (`blocking`), which runs or worker that is (`held_by`), until when, and
    what can be done about it.
    """
    return await explaining.explain(db, run_means, actor.project_id, read_id(run_id))


@get("/v1/stats", operation_id="getStats", guards=[requires("stats:read")])
async def get_stats(actor: NamedDependency[Actor], db: Db) -> Stats:
    """Count the runs that wait or are under way, by status."""
    return await reading.stats(db, actor.project_id)


HANDLERS: Final = (
    list_runs,
    list_job_runs,
    list_run_children,
    list_run_events,
    explain_run,
    get_stats,
)
