"""Bulk triggers, as they are remembered."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.errors import NotFound
from strait_server.work.intake import store
from strait_server.work.intake.model import BatchOperation


async def get(db: Connection, project_id: str, batch_id: UUID) -> BatchOperation:
    """Find a bulk trigger of the project, or raise `NotFound`."""
    batch = await store.find_batch(db, project_id, batch_id)
    if batch is None:
        raise NotFound("batch operation not found")
    return batch


async def list_batches(
    db: Connection, project_id: str, *, before: tuple[datetime, UUID], limit: int
) -> Sequence[BatchOperation]:
    """List the project's bulk triggers that stand before a place, the newest first."""
    return await store.list_batches(db, project_id, before=before, limit=limit)
