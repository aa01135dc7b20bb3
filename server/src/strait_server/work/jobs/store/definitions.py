"""A job with all that its runs must know of it."""

from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.jobs.model import DefinitionRow

SQL: Final = load_queries(__name__)


async def find(
    db: Connection, project_id: str | None, *, job_id: UUID | None, slug: str | None
) -> DefinitionRow | None:
    return await db.row(DefinitionRow, SQL["find"], project_id=project_id, id=job_id, slug=slug)
