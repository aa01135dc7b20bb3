"""Changing the fate of runs (api 9.9, 9.10)."""

from typing import Annotated, Final
from uuid import UUID

import msgspec
from litestar import delete, post
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from strait_server.base.http.guards import ACROSS_PROJECTS, requires
from strait_server.base.http.params import Db, FromPath, FromQuery, JSONBody
from strait_server.tenancy.access.model import Actor
from strait_server.work.intake.model import Instant
from strait_server.work.queue.model import Run, Status, TriggeredBy
from strait_server.work.runs.model import (
    MOST_CANCELS,
    MOST_DEAD_LETTERS,
    MOST_REPLAYS,
    CanceledByFilter,
    CanceledRuns,
    ReplayedDeadLetters,
    ReplayedRuns,
    ResetKey,
    Selection,
)
from strait_server.work.runs.routes.reading import RunMeans
from strait_server.work.runs.service import canceling, moving, replaying
from strait_server.work.runs.service.canceling import Sweep
from strait_server.work.runs.service.references import read_id


class CancelRuns(Struct, frozen=True, kw_only=True):
    """Body of a bulk cancel: the ids of up to 100 runs."""

    run_ids: Annotated[tuple[str, ...], Meta(extra_json_schema={"maxItems": MOST_CANCELS})] = ()
    ids: Annotated[tuple[str, ...], Meta(extra_json_schema={"maxItems": MOST_CANCELS})] = ()


class CancelMatchingRuns(Struct, frozen=True, kw_only=True):
    """Body of a cancel by filter: at least one of these. `job_id` is an id or a slug."""

    job_id: str | None = None
    batch_id: UUID | None = None
    triggered_by: TriggeredBy | None = None
    status: Status | None = None


class ReplayRuns(Struct, frozen=True, kw_only=True):
    """Body of a bulk replay: the ids of up to 100 runs."""

    run_ids: Annotated[
        tuple[str, ...], Meta(extra_json_schema={"minItems": 1, "maxItems": MOST_REPLAYS})
    ] = ()


class ReplayDeadLetters(Struct, frozen=True, kw_only=True):
    """Body of a bulk replay of dead letters: up to 500 ids, or how many of a project."""

    run_ids: (
        Annotated[tuple[str, ...], Meta(extra_json_schema={"maxItems": MOST_DEAD_LETTERS})] | None
    ) = None
    project_id: str | None = None
    limit: (
        Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": MOST_DEAD_LETTERS})] | None
    ) = None


class RescheduleRun(Struct, frozen=True, kw_only=True):
    """Body of the request to move a run in time, and perhaps to change its payload."""

    scheduled_at: Instant
    payload: msgspec.Raw = msgspec.Raw(b"")


@delete(
    "/v1/runs/{run_id:str}",
    operation_id="cancelRun",
    status_code=200,
    guards=[requires("runs:write")],
)
async def cancel_run(run_id: FromPath[str], actor: NamedDependency[Actor], db: Db) -> Run:
    """Cancel a run and its unfinished descendants.

    A run that has finished answers 400, also a dead letter; one that finishes
    at this very moment 409. What its endpoint still answers is ignored.
    """
    return await canceling.cancel(db, actor.project_id, read_id(run_id))


@post(
    "/v1/runs/bulk-cancel",
    operation_id="bulkCancelRuns",
    status_code=200,
    guards=[requires("runs:write")],
)
async def bulk_cancel_runs(
    data: JSONBody[CancelRuns], actor: NamedDependency[Actor], db: Db
) -> CanceledRuns:
    """Cancel up to 100 runs, and say of each what became of it."""
    named = data.run_ids + data.ids
    field = "run_ids" if data.run_ids or not data.ids else "ids"
    return await canceling.cancel_many(db, actor.project, named, field=field)


@post(
    "/v1/runs/bulk-cancel-all",
    operation_id="bulkCancelAllRuns",
    status_code=200,
    guards=[requires("runs:write")],
)
async def bulk_cancel_all_runs(
    data: JSONBody[CancelMatchingRuns],
    actor: NamedDependency[Actor],
    run_means: RunMeans,
    db: Db,
) -> CanceledByFilter:
    """Cancel every delayed and queued run that meets all filters and has never started.

    When they are too many for one request, `has_more` says so: send it again.
    """
    sweep = Sweep(
        job=data.job_id,
        batch_id=data.batch_id,
        triggered_by=data.triggered_by,
        status=data.status,
    )
    return await canceling.cancel_matching(db, run_means, actor.project, sweep)


@post("/v1/runs/{run_id:str}/replay", operation_id="replayRun", guards=[requires("runs:write")])
async def replay_run(
    run_id: FromPath[str],
    actor: NamedDependency[Actor],
    run_means: RunMeans,
    db: Db,
    from_checkpoint: FromQuery[int | None] = None,
) -> Run:
    """Make a new run like one that did not complete, by the job as it is now.

    It gets the payload, priority, tags, metadata and concurrency key of the old
    one, but no idempotency key. A run that is not final, or has completed,
    answers 400; so does one whose job is gone or disabled.
    """
    return await replaying.replay(
        db, run_means, actor, read_id(run_id), from_checkpoint=from_checkpoint
    )


@post(
    "/v1/runs/bulk-replay",
    operation_id="bulkReplayRuns",
    status_code=200,
    guards=[requires("runs:write")],
)
async def bulk_replay_runs(
    data: JSONBody[ReplayRuns], actor: NamedDependency[Actor], run_means: RunMeans, db: Db
) -> ReplayedRuns:
    """Replay up to 100 runs, and say of each what became of it."""
    return await replaying.replay_many(db, run_means, actor, data.run_ids)


@post(
    "/v1/runs/{run_id:str}/dlq-replay",
    operation_id="replayDeadLetter",
    status_code=200,
    guards=[requires("runs:write")],
)
async def replay_dead_letter(
    run_id: FromPath[str], actor: NamedDependency[Actor], run_means: RunMeans, db: Db
) -> Run:
    """Put a dead letter back into the queue, as the same run, from its first attempt.

    Its error is cleared. A run that is no dead letter answers 409.
    """
    return await replaying.replay_dead_letter(db, run_means, actor.project_id, read_id(run_id))


@post(
    "/v1/runs/dlq/{run_id:str}/replay",
    operation_id="replayDlqRun",
    status_code=200,
    guards=[requires("runs:write")],
)
async def replay_dlq_run(
    run_id: FromPath[str], actor: NamedDependency[Actor], run_means: RunMeans, db: Db
) -> Run:
    """Put a dead letter back into the queue: another spelling of `replayDeadLetter`."""
    return await replaying.replay_dead_letter(db, run_means, actor.project_id, read_id(run_id))


@post(
    "/v1/runs/bulk-dlq-replay",
    operation_id="bulkReplayDeadLetters",
    status_code=200,
    guards=[requires("runs:write")],
    opt=ACROSS_PROJECTS,
)
async def bulk_replay_dead_letters(
    data: JSONBody[ReplayDeadLetters],
    actor: NamedDependency[Actor],
    run_means: RunMeans,
    db: Db,
) -> ReplayedDeadLetters:
    """Put dead letters back into the queue: these, or the newest of the project.

    Without `run_ids` up to `limit` of them (100, at most 500). What is no dead
    letter of the project is passed over; when none is left, answers 409.
    """
    return await replaying.replay_dead_letters(
        db,
        run_means,
        actor,
        Selection(run_ids=data.run_ids, project_id=data.project_id, limit=data.limit),
    )


@post(
    "/v1/runs/{run_id:str}/reschedule",
    operation_id="rescheduleRun",
    status_code=200,
    guards=[requires("runs:write")],
)
async def reschedule_run(
    run_id: FromPath[str],
    data: JSONBody[RescheduleRun],
    actor: NamedDependency[Actor],
    run_means: RunMeans,
    db: Db,
) -> Run:
    """Move a delayed or queued run to another time, and its payload with it if given.

    Both are bounded as in a trigger. The run lives as long after the new time as
    it would have after the old one. One that does not wait answers 409.
    """
    return await moving.reschedule(
        db,
        run_means,
        actor.project_id,
        read_id(run_id),
        at=data.scheduled_at,
        payload=bytes(data.payload) or None,
    )


@delete(
    "/v1/runs/{run_id:str}/idempotency-key",
    operation_id="resetRunIdempotencyKey",
    status_code=200,
    guards=[requires("runs:write")],
)
async def reset_run_idempotency_key(
    run_id: FromPath[str], actor: NamedDependency[Actor], db: Db
) -> ResetKey:
    """Free the run's idempotency key: the next trigger with it makes a new run.

    A run that is under way, or has no key, answers 404.
    """
    return await moving.reset_key(db, actor.project_id, read_id(run_id))


HANDLERS: Final = (
    cancel_run,
    bulk_cancel_runs,
    bulk_cancel_all_runs,
    replay_run,
    bulk_replay_runs,
    replay_dead_letter,
    replay_dlq_run,
    bulk_replay_dead_letters,
    reschedule_run,
    reset_run_idempotency_key,
)
