"""Forgetting what nothing can ask for any more."""

from strait_server.base.db.connection import Connection
from strait_server.work.intake import store


async def forget(db: Connection) -> int:
    """Drop a batch of spent idempotency keys and rate limit slices. Answers how many rows."""
    return await store.forget_keys(db) + await store.forget_buckets(db)
