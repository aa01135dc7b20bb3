"""Saying why: what a run, its place and its surroundings tell, put before the rules."""

from typing import Final
from uuid import UUID

from strait_server.base.cron import is_open, next_opening
from strait_server.base.db.connection import Connection
from strait_server.base.errors import NotFound
from strait_server.work.queue.model import Status
from strait_server.work.runs.model import Explanation, Facts, Surroundings
from strait_server.work.runs.rules.explain import explain as explained
from strait_server.work.runs.rules.explain import gates_of
from strait_server.work.runs.service.means import Means
from strait_server.work.runs.store import explain as store

_WAITING: Final = frozenset({Status.DELAYED, Status.QUEUED})


async def explain(
    db: Connection, means: Means, project_id: str | None, run_id: UUID
) -> Explanation:
    """Say why a run does or does not move."""
    facts = await store.facts(db, project_id, run_id)
    if facts is None:
        raise NotFound("run not found")
    waits = facts.status in _WAITING
    return explained(facts, await _look_around(db, means, facts) if waits else Surroundings())


async def _look_around(db: Connection, means: Means, facts: Facts) -> Surroundings:
    gates = gates_of(facts)
    definition = await means.definitions.by_id(facts.job_id)
    window = definition.window if definition else None
    opens_at = None
    if definition and window and not is_open(window, facts.now, definition.zone):
        opens_at = next_opening(window, facts.now, definition.zone)
    return Surroundings(
        places=await store.holders(db, gates) if gates else (),
        ahead=await _ahead(db, means, facts),
        live_workers=await store.live_workers(db),
        opens_at=opens_at,
    )


async def _ahead(db: Connection, means: Means, facts: Facts) -> int | None:
    """Count who goes before the run: at its gate, or in the queue, where all projects stand."""
    if facts.gate is not None and facts.rank is not None:
        return await store.ahead_at_gate(db, facts.gate, rank=facts.rank)
    if facts.status is not Status.QUEUED or facts.due_at or facts.queued_at is None:
        return None
    async with means.lookups.connection() as everywhere:
        return await store.ahead_in_queue(
            everywhere,
            facts.id,
            priority=facts.priority,
            queued_at=facts.queued_at,
            priority_worth=means.worth,
        )
