"""The story of a run, as its code tells it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.queue.model import NewEvent

SQL: Final = load_queries(__name__)


class Added(Struct, frozen=True):
    """An event that was added, and when."""

    id: UUID
    created_at: datetime


async def insert(db: Connection, events: Sequence[NewEvent]) -> list[Added]:
    return await db.rows(
        Added,
        SQL["insert"],
        ids=[event.id for event in events],
        run_ids=[event.run_id for event in events],
        attempts=[event.attempt for event in events],
        types=[event.type for event in events],
        levels=[event.level for event in events],
        messages=[event.message for event in events],
        data=[event.data for event in events],
    )


async def trim(db: Connection, run_id: UUID) -> int:
    """How many events were dropped."""
    return await db.row(int, SQL["trim"], run_id=run_id) or 0
