"""What the queue can be asked to do.

The functions take batches: the hot path writes no statement for one run.
`worth` is what one point of priority weighs, in microseconds of waiting.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.work.queue.model import (
    Appetite,
    Beat,
    CancelReason,
    ClaimedRun,
    Conclusion,
    Finished,
    NewEvent,
    NewRun,
    NewTime,
    Returned,
    Revival,
    Standing,
    Started,
)
from strait_server.work.queue.store import cancel as canceling
from strait_server.work.queue.store import claim as claiming
from strait_server.work.queue.store import enqueue as enqueuing
from strait_server.work.queue.store import events as telling
from strait_server.work.queue.store import gates as places
from strait_server.work.queue.store import outcomes, retention, waiting
from strait_server.work.queue.store import reschedule as rescheduling
from strait_server.work.queue.store import sdk as reporting

R = TypeVar("R", Beat, Conclusion)

CHANNEL: Final = "strait_queue"
CLAIM_SIZES: Final = claiming.SIZES
_CANCEL_DEPTH: Final = 20


async def enqueue(db: Connection, runs: Sequence[NewRun], *, worth: int) -> datetime:
    """Bring runs in, and let those with gates through as far as there is room."""
    gates = sorted({run.gate for run in runs if run.gate})
    if not gates:
        return await enqueuing.enqueue(db, runs, priority_worth=worth)
    async with db.transaction():
        await places.lock_gates(
            db, sorted({*gates, *(run.next_gate for run in runs if run.next_gate)})
        )
        created_at = await enqueuing.enqueue(db, runs, priority_worth=worth)
        await _admit(db, gates)
    return created_at


async def made_at(db: Connection, run_id: UUID) -> datetime | None:
    """Tell when a run was made. None: it was not."""
    return await enqueuing.made_at(db, run_id)


async def claim(
    db: Connection, worker_id: UUID, appetite: Appetite, *, floors: Sequence[int], worth: int
) -> list[ClaimedRun]:
    """Lease runs to a worker, as many as its appetite at most.

    Gated runs that turn out to be expired give their places back.
    """
    claimed = await claiming.claim(
        db,
        worker_id,
        size=appetite.size,
        fairly=appetite.fairly,
        floors=floors,
        project_id=appetite.project_id,
        priority_worth=worth,
    )
    expired = [run.id for run in claimed if run.lease_id is None and run.gated]
    if expired:
        await open_gates(db, expired)
    return claimed


async def start(db: Connection, starts: Sequence[Started]) -> None:
    """Record that endpoints are being called; runs moved meanwhile are left alone."""
    await outcomes.start(db, starts)


async def finish(
    db: Connection, finished: Sequence[Finished], *, ended_lease_ids: Sequence[int] = ()
) -> set[UUID]:
    """Record final outcomes. Answered are those that came too late and changed nothing."""
    gated = [run.id for run in finished if run.gated]
    if not gated:
        surprises = await outcomes.finish(db, finished, ended_lease_ids=ended_lease_ids)
        return await _settle(db, surprises)
    async with db.transaction():
        await _lock_gates_of(db, gated)
        surprises = await outcomes.finish(db, finished, ended_lease_ids=ended_lease_ids)
        late = await _settle(db, surprises)
        await _give_back(db, [run_id for run_id in gated if run_id not in late])
    return late


async def requeue(
    db: Connection,
    returned: Sequence[Returned],
    *,
    worth: int,
    ended_lease_ids: Sequence[int] = (),
) -> set[UUID]:
    """Send claimed runs back. Answered are those that somebody else had moved."""
    gated = [run.id for run in returned if run.gated]
    gates = {run.gate for run in returned if run.gate and run.delay is None}
    async with db.transaction():
        await _lock_gates_of(db, gated, gates)
        surprises = await outcomes.requeue(
            db, returned, ended_lease_ids=ended_lease_ids, priority_worth=worth
        )
        late = await _settle(db, surprises)
        await _give_back(db, [run_id for run_id in gated if run_id not in late], gates)
    return late


async def cancel(
    db: Connection, project_id: str, run_ids: Sequence[UUID], *, reason: CancelReason
) -> list[UUID]:
    """Cancel runs and, breadth first, their unfinished descendants (behaviour 1.5).

    Answers the ones of `run_ids` that were canceled; the others had finished,
    or are not there. Descendants of a run that had finished are left alone.
    """
    async with db.transaction():
        gated = await places.gates_of(db, run_ids)
        await places.lock_gates(db, sorted(gated))
        await canceling.hold_entries(db, run_ids)
        canceled = await canceling.cancel(db, project_id, dict.fromkeys(run_ids, reason))
        await _cancel_descendants(db, project_id, canceled, reason=reason.of_parent)
        await _give_back(db, canceled)
    return canceled


async def pending(
    db: Connection,
    project_id: str,
    *,
    statuses: Sequence[str],
    job_id: UUID | None = None,
    batch_id: UUID | None = None,
    triggered_by: str | None = None,
    limit: int = 1000,
) -> list[UUID]:
    """Find runs that wait and have never started, for canceling by filter."""
    return await canceling.pending(
        db,
        project_id,
        statuses=statuses,
        job_id=job_id,
        batch_id=batch_id,
        triggered_by=triggered_by,
        limit=limit,
    )


async def cancel_project(db: Connection, project_id: str) -> None:
    """Cancel everything unfinished of a project that was deleted, in bounded batches."""
    while run_ids := await canceling.unfinished(db, project_id):
        await cancel(db, project_id, run_ids, reason=CancelReason.PROJECT_DELETED)


async def revive(
    db: Connection, project_id: str, revivals: Sequence[Revival], *, worth: int
) -> list[UUID]:
    """Put dead letters back as first attempts. Answers those that were dead letters."""
    gates = sorted({run.gate for run in revivals if run.gate})
    async with db.transaction():
        await places.lock_gates(db, gates)
        revived = await canceling.revive(db, project_id, revivals, priority_worth=worth)
        await _admit(db, gates)
    return revived


async def move_due(db: Connection, *, worth: int) -> int:
    """Bring up to a thousand runs whose time has come to the queue (behaviour 8.3)."""
    async with db.transaction():
        moved = await waiting.move_due(db, priority_worth=worth)
        if moved is None:
            return 0
        if moved.gates:
            await places.lock_gates(db, sorted(moved.gates))
            await _admit(db, sorted(moved.gates))
    return moved.moved


async def next_due(db: Connection) -> float | None:
    """Seconds until the next scheduled run is due."""
    return await waiting.next_due(db)


async def expire(db: Connection) -> int:
    """End runs that waited past their expiry (behaviour 8.4 #3)."""
    async with db.transaction():
        expired = await waiting.expire(db)
        if expired:
            await _lock_gates_of(db, expired)
            await _give_back(db, expired)
    return len(expired)


async def open_gates(db: Connection, run_ids: Sequence[UUID]) -> None:
    """Give back the places of runs that are no longer active, and let others in."""
    async with db.transaction():
        await _lock_gates_of(db, run_ids)
        await _give_back(db, run_ids)


async def open_waiting_gates(db: Connection, *, worth: int) -> int:
    """Let in whoever has room at any gate: mends what a crash, a race or a limit left behind."""
    for job_id in await places.resumed_jobs(db):
        await regate(db, job_id, worth=worth)
    if ended := await places.left_behind(db):
        await open_gates(db, ended)
    last = ""
    while gates := await places.waiting_gates(db, after=last):
        for gate in gates:
            async with db.transaction():
                await places.lock_gates(db, [gate])
                await _admit(db, [gate])
        last = gates[-1]
    return 0


async def regate(db: Connection, job_id: UUID, *, worth: int) -> None:
    """Apply a job's changed limits, pause or switch to its waiting and active runs."""
    async with db.transaction():
        await places.lock_gates(db, await places.gates_of_job(db, job_id))
        gates = sorted(await places.regate(db, job_id, priority_worth=worth))
        await places.lock_gates(db, gates)
        await _admit(db, gates)


async def beat(db: Connection, beats: Sequence[Beat]) -> set[UUID]:
    """Note that runs are alive. Answers those that are open to reports."""
    reported = await reporting.beat(db, beats)
    for busy in _left_out(beats, reported):
        async with db.transaction():
            await reporting.hold(db, busy.id)
            reported += await reporting.beat(db, [busy])
    return {run.id for run in reported if run.written}


async def tell(db: Connection, events: Sequence[NewEvent]) -> dict[UUID, datetime]:
    """Add events to runs that are open to reports. Answers when, for those that were added."""
    return {event.id: event.created_at for event in await telling.insert(db, events)}


async def trim_story(db: Connection, run_id: UUID) -> int:
    """Drop the oldest events of a run that has more than ten thousand (behaviour 12.3)."""
    return await telling.trim(db, run_id)


async def conclude(db: Connection, conclusions: Sequence[Conclusion]) -> set[UUID]:
    """End runs as their code asks, one conclusion per run. Answers those that it ended.

    The others are final, or at another attempt, or their results must be checked first.
    """
    gates = await places.gates_of(db, [run.id for run in conclusions])
    if not gates:
        return await _conclude(db, conclusions)
    async with db.transaction():
        await places.lock_gates(db, sorted(gates))
        return await _conclude(db, conclusions)


async def standing(db: Connection, run_id: UUID) -> Standing | None:
    """Where a run stands."""
    return await reporting.standing(db, run_id)


async def reschedule(
    db: Connection, project_id: str, run_id: UUID, moved: NewTime, *, worth: int
) -> bool:
    """Move a waiting run to another time (behaviour 2.16).

    False: it does not wait, or it is being moved by somebody else right now.
    """
    gates = {gate for gate in (moved.gate, moved.next_gate) if gate}
    async with db.transaction():
        await _lock_gates_of(db, [run_id], gates)
        metered = await rescheduling.take_out(db, project_id, run_id)
        if metered is None:
            return False
        placed = await rescheduling.put_in(db, run_id, moved, metered=metered, priority_worth=worth)
        await _give_back(db, [run_id], gates)
    return placed


async def ensure_months(db: Connection) -> int:
    """Make the partitions of this month and the next two (behaviour 8.6, T93s)."""
    return await retention.ensure_months(db)


async def retire(
    db: Connection, *, short: timedelta, long: timedelta, after: UUID
) -> tuple[int, UUID | None]:
    """Delete what is old enough among the next 5000 runs (behaviour 8.5).

    Most runs are kept for `short`, those that went wrong for `long`, where zero
    means forever. Answers how many went, and where to go on: None at the end.
    """
    swept = await retention.retire(db, short=short, long=long, after=after)
    return swept.deleted, swept.last


async def drop_spent_month(db: Connection, *, short: timedelta, long: timedelta) -> int:
    """Drop the oldest month if nothing of it must be kept, and what still points to it."""
    month = await retention.oldest_month(db)
    if month is None:
        return 0
    if not await retention.is_spent(db, month, short=short, long=long):
        return await retention.forget_dropped(db, begins_at=month.begins_at)
    async with db.transaction():
        return int(await retention.drop_month(db, month))


async def _settle(db: Connection, surprises: Sequence[outcomes.Surprise]) -> set[UUID]:
    """Give back places that the worker did not know of; answer the runs it was late for."""
    holding = [run.id for run in surprises if not run.late]
    if holding:
        await open_gates(db, holding)
    return {run.id for run in surprises if run.late}


async def _conclude(db: Connection, conclusions: Sequence[Conclusion]) -> set[UUID]:
    reported = await reporting.conclude(db, conclusions)
    for busy in _left_out(conclusions, reported):
        async with db.transaction():
            await reporting.hold(db, busy.id)
            reported += await reporting.conclude(db, [busy])
    holding = [run.id for run in reported if run.written and run.gated]
    if holding:
        await open_gates(db, holding)
    return {run.id for run in reported if run.written}


def _left_out(asked: Sequence[R], reported: Sequence[reporting.Reported]) -> list[R]:
    """Find what a batch did not write because somebody else was writing there."""
    busy = {run.id for run in reported if not run.written}
    return [one for one in asked if one.id in busy]


async def _cancel_descendants(
    db: Connection, project_id: str, parents: Sequence[UUID], *, reason: CancelReason
) -> None:
    for _ in range(_CANCEL_DEPTH):
        canceled: list[UUID] = []
        while children := await canceling.children(db, project_id, parents):
            await canceling.hold_entries(db, children)
            reasons: Mapping[UUID, str] = dict.fromkeys(children, reason)
            canceled += await canceling.cancel(db, project_id, reasons)
        if not canceled:
            return
        await open_gates(db, canceled)
        parents = canceled


async def _lock_gates_of(
    db: Connection, run_ids: Sequence[UUID], others: Iterable[str] = ()
) -> None:
    gates = set(others)
    if run_ids:
        gates.update(await places.gates_of(db, run_ids))
    if gates:
        await places.lock_gates(db, sorted(gates))


async def _give_back(db: Connection, run_ids: Sequence[UUID], others: Iterable[str] = ()) -> None:
    gates = set(others)
    if run_ids:
        gates.update(await places.release(db, run_ids))
    await _admit(db, sorted(gates))


async def _admit(db: Connection, gates: Sequence[str]) -> None:
    """Open gates, then those that the admitted come to next; a run has two at most.

    The caller holds the locks of `gates`, and with them nearly always those of
    the gates after them.
    """
    while gates:
        further = sorted(set(await places.promote(db, gates)))
        if further:
            await places.lock_gates(db, further)
        gates = further
