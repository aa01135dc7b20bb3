"""Forgetting durations that no average looks at any more."""

from strait_server.base.db.connection import Connection
from strait_server.work.dispatch import store


async def forget(db: Connection) -> int:
    """Drop a batch of old histograms. Answers how many rows."""
    return await store.forget_durations(db)
