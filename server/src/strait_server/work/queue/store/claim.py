"""Handing runs to workers."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.queue.model import ClaimedRun

SQL: Final = load_queries(__name__)
SIZES: Final = (1, 5, 10, 25, 50, 100, 250)


async def claim(
    db: Connection,
    worker_id: UUID,
    *,
    size: int,
    fairly: bool,
    floors: Sequence[int],
    project_id: str | None,
    priority_worth: int,
) -> list[ClaimedRun]:
    """`size` is one of SIZES; `floors` holds one watermark per priority, from 0 to 10."""
    return await db.rows(
        ClaimedRun,
        SQL[f"claim_fairly_{size}"] if fairly else SQL[f"claim_{size}"],
        worker_id=worker_id,
        priorities=range(len(floors)),
        floors=floors,
        project_id=project_id,
        priority_worth=priority_worth,
    )
