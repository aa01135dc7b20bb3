"""What users may do about idempotency keys."""

from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.work.intake import store


async def reset(db: Connection, project_id: str, run_id: UUID) -> bool:
    """Free the key of a run, so that it can stand for another (behaviour 2.6).

    False: the run is under way, has no key, or is not the project's.
    """
    return await store.release_key(db, project_id, run_id) > 0
