"""Rows of `workers` and `leases`, in and out. Each function runs the query of its own name."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.workers.model import Absent, Depth, JobDepth, Lost

SQL: Final = load_queries(__name__)


async def register(
    db: Connection,
    worker_id: UUID,
    *,
    lock_id: int,
    host: str,
    pid: int,
    concurrency: int,
    lease_seconds: float,
) -> int:
    return await db.execute(
        SQL["register"],
        id=worker_id,
        lock_id=lock_id,
        host=host,
        pid=pid,
        concurrency=concurrency,
        lease_seconds=lease_seconds,
    )


async def lock(db: Connection, lock_id: int) -> bool:
    """Whether this session holds the lock now."""
    return bool(await db.row(bool, SQL["lock"], lock_id=lock_id))


async def heartbeat(db: Connection, worker_id: UUID, *, lease_seconds: float) -> bool:
    """Answer False when the worker was declared dead: its runs are no longer its own."""
    return await db.execute(SQL["heartbeat"], id=worker_id, lease_seconds=lease_seconds) == 1


async def deregister(db: Connection, worker_id: UUID) -> int:
    """Zero: it still holds leases, and somebody else will take care of them."""
    return await db.execute(SQL["deregister"], id=worker_id)


async def absent(db: Connection) -> list[Absent]:
    """Workers that seem to be gone."""
    return await db.rows(Absent, SQL["absent"])


async def take(db: Connection, worker_id: UUID) -> bool:
    """Whether the worker is gone and its runs are ours until the end of the transaction."""
    return await db.row(UUID, SQL["take"], worker_id=worker_id) is not None


async def uptime(db: Connection) -> float:
    """For how many seconds PostgreSQL has been up."""
    return await db.row(float, SQL["uptime"]) or 0.0


async def lost(db: Connection, worker_id: UUID) -> list[Lost]:
    return await db.rows(Lost, SQL["lost"], worker_id=worker_id)


async def orphans(db: Connection, *, seconds: float) -> list[UUID]:
    """Workers that are not there any more and claimed something that long ago."""
    return await db.rows(UUID, SQL["orphans"], seconds=seconds)


async def strays(db: Connection, worker_id: UUID, *, known: Sequence[int]) -> list[Lost]:
    return await db.rows(Lost, SQL["strays"], worker_id=worker_id, known=known)


async def drop_leases(db: Connection, worker_id: UUID) -> int:
    return await db.execute(SQL["drop_leases"], worker_id=worker_id)


async def remove(db: Connection, worker_id: UUID) -> int:
    return await db.execute(SQL["remove"], worker_id=worker_id)


async def claimable(db: Connection, *, project_ids: Sequence[str] | None) -> int:
    """How many runs can be claimed now; 1001 stands for more."""
    return await db.row(int, SQL["claimable"], project_ids=project_ids) or 0


async def depths(db: Connection) -> list[Depth]:
    return await db.rows(Depth, SQL["depths"])


async def queued_by_job(db: Connection) -> list[JobDepth]:
    return await db.rows(JobDepth, SQL["queued_by_job"])


async def dead_letters_by_job(db: Connection) -> list[JobDepth]:
    return await db.rows(JobDepth, SQL["dead_letters_by_job"])
