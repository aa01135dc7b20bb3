"""Trying again: as a new run, or a dead letter in its place (behaviour 2.16)."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from strait_server.base import ids
from strait_server.base.db.connection import Connection
from strait_server.base.errors import Conflict, Invalid, NotFound, StraitError
from strait_server.tenancy.access.model import Actor
from strait_server.work.intake.service import terms
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import FINAL, NewRun, Revival, Run, Status
from strait_server.work.runs.model import (
    MOST_DEAD_LETTERS,
    MOST_REPLAYS,
    ReplayedDeadLetters,
    ReplayedRuns,
    ReplayResult,
    RunFilter,
    Selection,
)
from strait_server.work.runs.service import listing, reading
from strait_server.work.runs.service.means import Means
from strait_server.work.runs.service.references import check_count, read_ids

_USUAL_DEAD_LETTERS: Final = 100
_EITHER: Final = "provide either run_ids or project_id"
_REPLAYABLE: Final = FINAL - {Status.COMPLETED}
_OURS: Final = frozenset({"snooze_count"})
_DEAD: Final = RunFilter(statuses=frozenset({Status.DEAD_LETTER}))


async def replay(
    db: Connection, means: Means, actor: Actor, run_id: UUID, *, from_checkpoint: int | None
) -> Run:
    """Make a new run like one that did not complete, by the job as it is now (T21).

    It has the payload, priority, tags, metadata and concurrency key of the old
    one, and no idempotency key.
    """
    original = await reading.get(db, actor.project_id, run_id)
    if original.status not in _REPLAYABLE:
        raise Invalid("run is not replayable")
    if from_checkpoint is not None:
        if from_checkpoint < 1:
            raise Invalid("from_checkpoint must be at least 1")
        raise NotFound("checkpoint not found")
    made = await _replay(db, means, actor, original)
    return await reading.get(db, original.project_id, made)


async def replay_many(
    db: Connection, means: Means, actor: Actor, named: Sequence[str]
) -> ReplayedRuns:
    """Replay runs, each by itself, and say what became of it."""
    check_count(
        named,
        most=MOST_REPLAYS,
        refusal=f"maximum {MOST_REPLAYS} run IDs per bulk replay request",
    )
    id_by_name = read_ids(named)
    results = [await _result(db, means, actor, name, id_by_name.get(name)) for name in named]
    return ReplayedRuns(
        results=results,
        total=len(results),
        replayed=sum(result.status == "replayed" for result in results),
    )


async def replay_dead_letter(
    db: Connection, means: Means, project_id: str | None, run_id: UUID
) -> Run:
    """Put a dead letter back as a first attempt.

    Raises `Conflict` when it is none, or when its job does not exist any more.
    """
    run = await reading.look(db, project_id, run_id)
    if run.status is Status.DEAD_LETTER and not await means.definitions.by_id(run.job_id):
        raise Conflict("the job of the dead letter does not exist any more")
    if not await _revive(db, means, run.project_id, [run]):
        raise Conflict("run is not dead_letter")
    return await reading.get(db, run.project_id, run_id)


async def replay_dead_letters(
    db: Connection, means: Means, actor: Actor, selection: Selection
) -> ReplayedDeadLetters:
    """Put dead letters back. Raises `Conflict` when the selection has none.

    What is no dead letter, or not the project's, is passed over (T73).
    """
    if selection.run_ids and selection.project_id:
        raise Invalid(_EITHER)
    if not selection.run_ids and not (selection.project_id or actor.project_id):
        raise Invalid(_EITHER)
    project_id = actor.project_named(selection.project_id)
    run_ids = await _selected(db, project_id, selection)
    runs = await reading.get_light(db, project_id, run_ids)
    revived = await _revive(db, means, project_id, runs)
    if not revived:
        raise Conflict("no dead letter runs found")
    replayed = await reading.get_light(db, project_id, revived)
    return ReplayedDeadLetters(replayed=replayed, count=len(replayed))


async def _selected(db: Connection, project_id: str, selection: Selection) -> Sequence[UUID]:
    if not selection.run_ids:
        return await listing.newest(db, project_id, _DEAD, limit=_limit(selection.limit))
    if len(selection.run_ids) > MOST_DEAD_LETTERS:
        raise Invalid(
            f"too many run_ids (max {MOST_DEAD_LETTERS})",
            problems=[f"run_ids: must have at most {MOST_DEAD_LETTERS} entries"],
        )
    return list(dict.fromkeys(read_ids(selection.run_ids).values()))


def _limit(limit: int | None) -> int:
    if limit is None:
        return _USUAL_DEAD_LETTERS
    allowed = f"limit: must be from 1 to {MOST_DEAD_LETTERS}"
    if limit < 1:
        raise Invalid("limit must be a positive integer", problems=[allowed])
    if limit > MOST_DEAD_LETTERS:
        raise Invalid(f"limit must be <= {MOST_DEAD_LETTERS}", problems=[allowed])
    return limit


async def _revive(db: Connection, means: Means, project_id: str, runs: Sequence[Run]) -> list[UUID]:
    revivals = [
        _revival(run, definition, means)
        for run in runs
        if run.status is Status.DEAD_LETTER
        and (definition := await means.definitions.by_id(run.job_id))
    ]
    if not revivals:
        return []
    revived = set(await queue.revive(db, project_id, revivals, worth=means.worth))
    return [run.id for run in runs if run.id in revived]


def _revival(run: Run, definition: Definition, means: Means) -> Revival:
    gate, next_gate = definition.gates(run.concurrency_key)
    return Revival(
        id=run.id,
        ttl_seconds=terms.lifetime(definition, default_ttl_secs=means.default_ttl_secs),
        gate=gate,
        next_gate=next_gate,
        metered=definition.job.metered,
    )


async def _result(
    db: Connection, means: Means, actor: Actor, name: str, run_id: UUID | None
) -> ReplayResult:
    found = await reading.get_light(db, actor.project_id, [run_id]) if run_id else []
    if not found:
        return ReplayResult(original_run_id=name, status="failed", error="run not found")
    if found[0].status not in _REPLAYABLE:
        return ReplayResult(original_run_id=name, status="skipped", error="run is not replayable")
    try:
        original = await reading.get(db, actor.project_id, found[0].id)
        made = await _replay(db, means, actor, original)
    except StraitError as refusal:
        return ReplayResult(original_run_id=name, status="failed", error=refusal.message)
    return ReplayResult(original_run_id=name, status="replayed", new_run_id=made)


async def _replay(db: Connection, means: Means, actor: Actor, original: Run) -> UUID:
    definition = await means.definitions.by_id(original.job_id)
    if definition is None or not definition.job.enabled:
        raise Invalid("job not found or disabled")
    again = _again(original, definition, means, created_by=actor.id)
    await queue.enqueue(db, [again], worth=means.worth)
    return again.id


def _again(original: Run, definition: Definition, means: Means, *, created_by: str) -> NewRun:
    job = definition.job
    gate, next_gate = definition.gates(original.concurrency_key)
    return NewRun(
        id=ids.new_id(),
        project_id=original.project_id,
        job_id=job.id,
        payload=bytes(original.payload or b"{}"),
        ttl_seconds=terms.lifetime(definition, default_ttl_secs=means.default_ttl_secs),
        job_version=job.version,
        job_version_id=job.version_id,
        priority=original.priority,
        tags=msgspec.json.encode(original.tags) if original.tags else None,
        metadata=_metadata(original),
        created_by=created_by,
        concurrency_key=original.concurrency_key,
        replay_of=original.id,
        gate=gate,
        next_gate=next_gate,
        metered=job.metered,
    )


def _metadata(original: Run) -> bytes | None:
    """Keep what its user wrote; what we noted of the old attempts goes (T13)."""
    kept = {
        key: value
        for key, value in (original.metadata or {}).items()
        if not key.startswith("_") and key not in _OURS
    }
    return msgspec.json.encode(kept) if kept else None
