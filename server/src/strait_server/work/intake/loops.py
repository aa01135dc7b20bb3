"""What intake does by itself."""

from strait_server.base.db.connection import Connection
from strait_server.work.intake.service import tidying


async def forget(db: Connection) -> int:
    """Drop spent idempotency keys and rate limit slices (behaviour 8.5)."""
    return await tidying.forget(db)
