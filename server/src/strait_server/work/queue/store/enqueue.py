"""Bringing runs in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.queue.model import NewRun

SQL: Final = load_queries(__name__)


async def enqueue(db: Connection, runs: Sequence[NewRun], *, priority_worth: int) -> datetime:
    """Return the moment at which the runs were created, by the database's clock."""
    created_at = await db.row(
        datetime,
        SQL["enqueue"],
        ids=[run.id for run in runs],
        project_ids=[run.project_id for run in runs],
        job_ids=[run.job_id for run in runs],
        priorities=[run.priority for run in runs],
        payloads=[run.payload for run in runs],
        ttl_seconds=[run.ttl_seconds for run in runs],
        scheduled_at=[run.scheduled_at for run in runs],
        tags=[run.tags for run in runs],
        metadata=[run.metadata for run in runs],
        triggered_by=[run.triggered_by for run in runs],
        created_by=[run.created_by for run in runs],
        job_versions=[run.job_version for run in runs],
        job_version_ids=[run.job_version_id for run in runs],
        concurrency_keys=[run.concurrency_key for run in runs],
        idempotency_keys=[run.idempotency_key for run in runs],
        batch_ids=[run.batch_id for run in runs],
        replay_of=[run.replay_of for run in runs],
        gates=[run.gate for run in runs],
        next_gates=[run.next_gate for run in runs],
        metered=[run.metered for run in runs],
        priority_worth=priority_worth,
    )
    assert created_at is not None  # noqa: S101 - a select from one row
    return created_at


async def made_at(db: Connection, run_id: UUID) -> datetime | None:
    return await db.row(datetime, SQL["made_at"], id=run_id)
