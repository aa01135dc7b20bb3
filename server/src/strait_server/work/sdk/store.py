"""What job code may read of its run."""

from typing import Final
from uuid import UUID

import msgspec

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries

SQL: Final = load_queries(__name__)


async def payload(db: Connection, run_id: UUID) -> msgspec.Raw | None:
    return await db.row(msgspec.Raw, SQL["payload"], run_id=run_id)
