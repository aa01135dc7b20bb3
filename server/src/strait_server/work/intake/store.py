"""Keys, quotas and rates, in and out. Each function runs the query of its own name."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.intake.model import BatchOperation, RateScope, Reserved, Room
from strait_server.work.queue.model import NewRun

SQL: Final = load_queries(__name__)


class Admitted(Struct, frozen=True):
    """What a scope admitted within its window, and when the oldest of it leaves."""

    scope: str
    count: int
    frees_in: float


async def now(db: Connection) -> datetime:
    """Return the database's clock, which stands still within a transaction."""
    at = await db.row(datetime, SQL["now"])
    assert at is not None  # noqa: S101 - a select without a table has a row
    return at


async def reserve(db: Connection, runs: Sequence[NewRun]) -> set[UUID]:
    """Return the runs that got their key."""
    taken = await db.rows(
        UUID,
        SQL["reserve"],
        job_ids=[run.job_id for run in runs],
        keys=[run.idempotency_key for run in runs],
        run_ids=[run.id for run in runs],
    )
    return set(taken)


async def holders(db: Connection, runs: Sequence[NewRun]) -> list[Reserved]:
    """Say who has the keys of these runs; true until the transaction ends."""
    job_ids = [run.job_id for run in runs]
    keys = [run.idempotency_key for run in runs]
    await db.execute(SQL["lock_keys"], job_ids=job_ids, keys=keys)
    return await db.rows(Reserved, SQL["holders"], job_ids=job_ids, keys=keys)


async def take_over(db: Connection, runs: Sequence[NewRun], old: Sequence[UUID]) -> int:
    return await db.execute(
        SQL["take_over"],
        job_ids=[run.job_id for run in runs],
        keys=[run.idempotency_key for run in runs],
        run_ids=[run.id for run in runs],
        old_run_ids=old,
    )


async def let_go(db: Connection, runs: Sequence[NewRun]) -> int:
    return await db.execute(
        SQL["let_go"],
        job_ids=[run.job_id for run in runs],
        keys=[run.idempotency_key for run in runs],
        run_ids=[run.id for run in runs],
    )


async def release_key(db: Connection, project_id: str, run_id: UUID) -> int:
    """Zero: no such run, or it is active."""
    return await db.execute(SQL["release_key"], project_id=project_id, run_id=run_id)


async def forget_keys(db: Connection) -> int:
    return await db.execute(SQL["forget_keys"])


async def room(db: Connection, project_ids: Sequence[str]) -> list[Room]:
    """Count what is used of what is allowed, by project; true until the transaction ends."""
    await db.execute(SQL["lock_quotas"], project_ids=project_ids)
    return await db.rows(Room, SQL["room"], project_ids=project_ids)


async def admitted(db: Connection, scopes: Sequence[RateScope]) -> list[Admitted]:
    """Say what scopes admitted, unchanged until the transaction ends."""
    await db.execute(SQL["lock_scopes"], scopes=[s.scope for s in scopes])
    return await db.rows(Admitted, SQL["admitted"], scopes=[s.scope for s in scopes])


async def admit(db: Connection, counted: Sequence[tuple[RateScope, int]]) -> int:
    return await db.execute(
        SQL["admit"],
        scopes=[scope.scope for scope, _ in counted],
        window_seconds=[scope.window_seconds for scope, _ in counted],
        slice_seconds=[scope.slice_seconds for scope, _ in counted],
        counts=[count for _, count in counted],
    )


async def forget_buckets(db: Connection) -> int:
    return await db.execute(SQL["forget_buckets"])


async def insert_batch(
    db: Connection,
    batch_id: UUID,
    *,
    project_id: str,
    job_id: UUID,
    item_count: int,
    created_count: int,
    created_by: str,
) -> int:
    return await db.execute(
        SQL["insert_batch"],
        id=batch_id,
        project_id=project_id,
        job_id=job_id,
        item_count=item_count,
        created_count=created_count,
        created_by=created_by,
    )


async def find_batch(db: Connection, project_id: str, batch_id: UUID) -> BatchOperation | None:
    return await db.row(BatchOperation, SQL["find_batch"], project_id=project_id, id=batch_id)


async def list_batches(
    db: Connection,
    project_id: str,
    *,
    before: tuple[datetime, UUID],
    limit: int,
) -> list[BatchOperation]:
    return await db.rows(
        BatchOperation,
        SQL["list_batches"],
        project_id=project_id,
        before_at=before[0],
        before_id=before[1],
        limit=limit,
    )
