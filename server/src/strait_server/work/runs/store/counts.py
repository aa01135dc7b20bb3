"""How many runs stand where."""

from typing import Final

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.runs.model import Stats

SQL: Final = load_queries(__name__)


async def stats(db: Connection, project_id: str | None) -> Stats:
    """None: of all projects."""
    counted = await db.row(Stats, SQL["stats"], project_id=project_id)
    assert counted is not None  # noqa: S101 - aggregates have one row
    return counted
