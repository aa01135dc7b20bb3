"""Canceling, and bringing back."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.queue.model import Revival

SQL: Final = load_queries(__name__)


async def hold_entries(db: Connection, run_ids: Sequence[UUID]) -> None:
    """Lock, until the end of the transaction, where these runs wait."""
    await db.execute(SQL["hold_entries"], ids=run_ids)


async def cancel(db: Connection, project_id: str, reason_by_id: Mapping[UUID, str]) -> list[UUID]:
    """Return the runs that were canceled; the others had finished or are not there."""
    return await db.rows(
        UUID,
        SQL["cancel"],
        project_id=project_id,
        ids=list(reason_by_id),
        reasons=list(reason_by_id.values()),
    )


async def children(db: Connection, project_id: str, run_ids: Sequence[UUID]) -> list[UUID]:
    """Unfinished children, a thousand at most."""
    return await db.rows(UUID, SQL["children"], project_id=project_id, ids=run_ids)


async def pending(
    db: Connection,
    project_id: str,
    *,
    statuses: Sequence[str],
    job_id: UUID | None,
    batch_id: UUID | None,
    triggered_by: str | None,
    limit: int,
) -> list[UUID]:
    return await db.rows(
        UUID,
        SQL["pending"],
        project_id=project_id,
        statuses=statuses,
        job_id=job_id,
        batch_id=batch_id,
        triggered_by=triggered_by,
        limit=limit,
    )


async def unfinished(db: Connection, project_id: str) -> list[UUID]:
    """Find runs of a project that wait or are under way, a thousand at most."""
    return await db.rows(UUID, SQL["unfinished"], project_id=project_id)


async def revive(
    db: Connection, project_id: str, revivals: Sequence[Revival], *, priority_worth: int
) -> list[UUID]:
    """Return the runs that were dead letters and are queued now."""
    return await db.rows(
        UUID,
        SQL["revive"],
        project_id=project_id,
        ids=[run.id for run in revivals],
        ttl_seconds=[run.ttl_seconds for run in revivals],
        gates=[run.gate for run in revivals],
        next_gates=[run.next_gate for run in revivals],
        metered=[run.metered for run in revivals],
        priority_worth=priority_worth,
    )
