"""Runs as the API shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.queue.model import Run, RunEvent

SQL: Final = load_queries(__name__)


class StatusCount(Struct, frozen=True):
    status: str
    runs: int


async def read(
    db: Connection, project_id: str | None, run_ids: Sequence[UUID], *, most: int
) -> list[Run]:
    """Read runs in the order of their ids; payloads and results of at most `most` bytes each."""
    return await db.rows(Run, SQL["read"], project_id=project_id, ids=run_ids, most=most)


async def read_one(
    db: Connection, project_id: str | None, run_id: UUID, *, most: int
) -> Run | None:
    """Read a run; its payload and result of at most `most` bytes each."""
    return await db.row(Run, SQL["read_one"], project_id=project_id, id=run_id, most=most)


async def moves(db: Connection, project_id: str | None, run_id: UUID) -> list[int] | None:
    """Every move of a run, as `runs.moves` has them; None: no such run."""
    row: list[int] | None = await db.row(list, SQL["moves"], project_id=project_id, id=run_id)
    return row


async def told(
    db: Connection,
    run_id: UUID,
    *,
    types: Sequence[str] | None,
    levels: Sequence[str] | None,
    after: tuple[datetime, UUID],
    limit: int,
) -> list[RunEvent]:
    return await db.rows(
        RunEvent,
        SQL["told"],
        run_id=run_id,
        types=types,
        levels=levels,
        after_at=after[0],
        after_id=after[1],
        limit=limit,
    )


async def batch_counts(db: Connection, project_id: str, batch_id: UUID) -> list[StatusCount]:
    return await db.rows(StatusCount, SQL["batch_counts"], project_id=project_id, batch_id=batch_id)
