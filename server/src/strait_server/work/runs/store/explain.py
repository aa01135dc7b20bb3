"""Why a run stands where it stands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.runs.model import Facts, Places

SQL: Final = load_queries(__name__)


async def facts(db: Connection, project_id: str | None, run_id: UUID) -> Facts | None:
    return await db.row(Facts, SQL["facts"], project_id=project_id, id=run_id)


async def holders(db: Connection, gates: Sequence[str]) -> list[Places]:
    return await db.rows(Places, SQL["holders"], gates=gates)


async def ahead_at_gate(db: Connection, gate: str, *, rank: int) -> int:
    """Count them, up to a thousand."""
    return await db.row(int, SQL["ahead_at_gate"], gate=gate, rank=rank) or 0


async def ahead_in_queue(
    db: Connection, run_id: UUID, *, priority: int, queued_at: datetime, priority_worth: int
) -> int | None:
    """None: the run has no entry in the queue."""
    return await db.row(
        int,
        SQL["ahead_in_queue"],
        run_id=run_id,
        priority=priority,
        queued_at=queued_at,
        priority_worth=priority_worth,
    )


async def live_workers(db: Connection) -> int:
    return await db.row(int, SQL["live_workers"]) or 0
