"""Moving a waiting run in time, and freeing its key."""

from datetime import datetime
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.errors import Conflict, NotFound
from strait_server.work.intake.service import keys, terms
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import NewTime, Run
from strait_server.work.runs.model import ResetKey
from strait_server.work.runs.service import reading
from strait_server.work.runs.service.means import Means

_TRIES: Final = 3


async def reschedule(
    db: Connection,
    means: Means,
    project_id: str | None,
    run_id: UUID,
    *,
    at: datetime,
    payload: bytes | None,
) -> Run:
    """Move a run that waits to another time, perhaps with another payload.

    The bounds are those of a trigger, its job's execution window included.
    Raises `Conflict` when it does not wait.
    """
    run = await reading.look(db, project_id, run_id)
    definition = await means.definitions.by_id(run.job_id)
    if definition is None:
        raise NotFound("job not found")
    gate, next_gate = definition.gates(run.concurrency_key)
    moved = NewTime(
        at=await terms.start(db, definition, at),
        payload=None if payload is None else terms.payload(definition, payload),
        gate=gate,
        next_gate=next_gate,
    )
    for _ in range(_TRIES):  # it may be on its way from one place to another
        if await queue.reschedule(db, run.project_id, run_id, moved, worth=means.worth):
            return await reading.get(db, run.project_id, run_id)
    raise Conflict("run not found or not eligible for rescheduling")


async def reset_key(db: Connection, project_id: str | None, run_id: UUID) -> ResetKey:
    """Free the idempotency key of a run that is not under way."""
    run = await reading.look(db, project_id, run_id)
    if not await keys.reset(db, run.project_id, run_id):
        raise NotFound("run not found or not eligible for idempotency reset")
    return ResetKey(run_id=run_id)
