"""What dispatch does by itself."""

from strait_server.base.db.connection import Connection
from strait_server.work.dispatch.service import tidying


async def forget(db: Connection) -> int:
    """Drop histograms of durations that are more than a month old."""
    return await tidying.forget(db)
