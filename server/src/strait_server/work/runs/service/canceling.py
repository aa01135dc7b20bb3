"""Canceling runs: one, some, or all that a filter meets (behaviour 1.5)."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from strait_server.base.clock import monotonic
from strait_server.base.db.connection import Connection
from strait_server.base.errors import Conflict, Invalid
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import FINAL, CancelReason, Run, Status, TriggeredBy
from strait_server.work.runs.model import (
    MOST_CANCELS,
    CanceledByFilter,
    CanceledRuns,
    CancelResult,
)
from strait_server.work.runs.service import reading
from strait_server.work.runs.service.listing import job_id_of
from strait_server.work.runs.service.means import Means
from strait_server.work.runs.service.references import check_count, read_ids

_SECONDS: Final = 20.0
_NEVER_STARTED: Final = frozenset({Status.DELAYED, Status.QUEUED})
_ENDED: Final = "run already in terminal state"


class Sweep(Struct, frozen=True, kw_only=True):
    """Which waiting runs are meant: those that meet everything that is not None."""

    job: str | None = None
    batch_id: UUID | None = None
    triggered_by: TriggeredBy | None = None
    status: Status | None = None


async def cancel(db: Connection, project_id: str | None, run_id: UUID) -> Run:
    """Cancel a run and its unfinished descendants.

    Raises `Invalid` when it has finished, a dead letter included, and
    `Conflict` when it did so while we looked.
    """
    run = await reading.look(db, project_id, run_id)
    if run.status in FINAL:
        raise Invalid(_ENDED)
    if not await queue.cancel(db, run.project_id, [run_id], reason=CancelReason.USER):
        raise Conflict("failed to cancel run")
    return await reading.get(db, run.project_id, run_id)


async def cancel_many(
    db: Connection, project_id: str, named: Sequence[str], *, field: str
) -> CanceledRuns:
    """Cancel runs, each by itself, and say what became of it. `field` is what named them."""
    check_count(
        named,
        most=MOST_CANCELS,
        refusal=f"maximum {MOST_CANCELS} run IDs per bulk cancel request",
        field=field,
    )
    id_by_name = read_ids(named)
    ids = list(dict.fromkeys(id_by_name.values()))
    canceled = set(await queue.cancel(db, project_id, ids, reason=CancelReason.USER_BULK))
    found = {run.id: run for run in await reading.get_light(db, project_id, ids)}
    results = [_result(name, id_by_name.get(name), canceled, found) for name in named]
    succeeded = sum(result.error is None for result in results)
    return CanceledRuns(
        results=results,
        total=len(results),
        canceled=succeeded,
        failed=len(results) - succeeded,
    )


async def cancel_matching(
    db: Connection, means: Means, project_id: str, sweep: Sweep
) -> CanceledByFilter:
    """Cancel runs that wait and have never started, a thousand at a time (T26q).

    It stops when there are no more, or before the request takes too long.
    """
    if sweep == Sweep():
        raise Invalid("at least one filter is required")
    if sweep.status is not None and sweep.status not in _NEVER_STARTED:
        raise Invalid("status must be delayed or queued")
    job_id = await job_id_of(means, project_id, sweep.job)
    statuses = [sweep.status] if sweep.status else sorted(_NEVER_STARTED)
    until = monotonic() + _SECONDS
    canceled: list[UUID] = []
    while monotonic() < until:
        ids = await queue.pending(
            db,
            project_id,
            statuses=statuses,
            job_id=job_id,
            batch_id=sweep.batch_id,
            triggered_by=sweep.triggered_by,
        )
        if not ids:
            return CanceledByFilter(canceled=len(canceled), run_ids=canceled)
        canceled += await queue.cancel(db, project_id, ids, reason=CancelReason.USER_FILTER)
    return CanceledByFilter(canceled=len(canceled), run_ids=canceled, has_more=True)


def _result(
    name: str, run_id: UUID | None, canceled: set[UUID], found: Mapping[UUID, Run]
) -> CancelResult:
    run = found.get(run_id) if run_id else None
    if run is None:
        return CancelResult(id=name, status="failed", error="run not found")
    if run.id in canceled:
        return CancelResult(id=name, status=Status.CANCELED)
    if run.status in FINAL:
        return CancelResult(id=name, status=run.status, error=_ENDED)
    return CancelResult(
        id=name, status=run.status, error="failed to cancel (status may have changed)"
    )
