"""Moving a waiting run to another time."""

from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.queue.model import NewTime

SQL: Final = load_queries(__name__)


async def take_out(db: Connection, project_id: str, run_id: UUID) -> bool | None:
    """Say whether the run counts against its project's quota; None: it was in no place."""
    return await db.row(bool, SQL["take_out"], project_id=project_id, id=run_id)


async def put_in(
    db: Connection, run_id: UUID, moved: NewTime, *, metered: bool, priority_worth: int
) -> bool:
    """Say whether it was done. False: the run is not one that waits."""
    placed = await db.row(
        UUID,
        SQL["put_in"],
        id=run_id,
        at=moved.at,
        payload=moved.payload,
        gate=moved.gate,
        next_gate=moved.next_gate,
        metered=metered,
        priority_worth=priority_worth,
    )
    return placed is not None
