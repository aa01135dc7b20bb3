"""What is known of endpoints, in and out. Each function runs the query of its own name."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.dispatch.model import CircuitRow, DurationRow, EndpointReport

SQL: Final = load_queries(__name__)


async def circuit(db: Connection, project_id: str, endpoint: str) -> CircuitRow | None:
    return await db.row(CircuitRow, SQL["circuit"], project_id=project_id, endpoint=endpoint)


async def probe(db: Connection, project_id: str, endpoint: str, *, seconds: float) -> bool:
    """Whether we are the one who probes."""
    probing = await db.execute(
        SQL["probe"], project_id=project_id, endpoint=endpoint, seconds=seconds
    )
    return probing == 1


async def report(
    db: Connection, reports: Sequence[EndpointReport], *, threshold: int, open_seconds: float
) -> int:
    """How many circuits changed their state."""
    return await db.execute(
        SQL["report"],
        project_ids=[r.project_id for r in reports],
        endpoints=[r.endpoint for r in reports],
        recovered=[r.recovered for r in reports],
        failures=[r.failures for r in reports],
        score_kept=[r.score_kept for r in reports],
        score_added=[r.score_added for r in reports],
        threshold=threshold,
        open_seconds=open_seconds,
    )


async def add_durations(db: Connection, counts: Sequence[tuple[UUID, int, int]]) -> int:
    """Rows of job, bucket, runs."""
    return await db.execute(
        SQL["add_durations"],
        job_ids=[job_id for job_id, _, _ in counts],
        buckets=[bucket for _, bucket, _ in counts],
        runs=[runs for _, _, runs in counts],
    )


async def durations(db: Connection, job_id: UUID) -> list[DurationRow]:
    return await db.rows(DurationRow, SQL["durations"], job_id=job_id)


async def forget_durations(db: Connection) -> int:
    return await db.execute(SQL["forget_durations"])
