"""Rows of `secrets`, in and out. Each function runs the query of its own name."""

from datetime import datetime
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.tenancy.secrets.model import JobSecret, NewSecret, Sealed

SQL: Final = load_queries(__name__)


async def job_named(db: Connection, project_id: str, slug: str) -> UUID | None:
    return await db.row(UUID, SQL["job_named"], project_id=project_id, slug=slug)


async def claim(
    db: Connection, secret_id: UUID, new: NewSecret, *, job_id: UUID | None
) -> UUID | None:
    """Tell the id of the row to fill. None: there is no such project, or no such job in it."""
    return await db.row(
        UUID,
        SQL["claim"],
        id=secret_id,
        project_id=new.project_id,
        job_id=job_id,
        environment=new.environment,
        secret_key=new.secret_key,
    )


async def fill(db: Connection, secret_id: UUID, *, sealed: str) -> JobSecret | None:
    return await db.row(JobSecret, SQL["fill"], secret_id=secret_id, sealed=sealed)


async def list_secrets(
    db: Connection,
    project_id: str,
    *,
    job_id: UUID | None,
    environment: str | None,
    before: tuple[datetime, UUID],
    limit: int,
) -> list[JobSecret]:
    return await db.rows(
        JobSecret,
        SQL["list_secrets"],
        project_id=project_id,
        job_id=job_id,
        environment=environment,
        before_at=before[0],
        before_id=before[1],
        limit=limit,
    )


async def find(db: Connection, project_id: str | None, secret_id: UUID) -> JobSecret | None:
    return await db.row(JobSecret, SQL["find"], project_id=project_id, secret_id=secret_id)


async def delete(db: Connection, project_id: str | None, secret_id: UUID) -> str | None:
    """Delete the secret, and answer whose it was. None: there is no such secret."""
    return await db.row(str, SQL["delete"], project_id=project_id, secret_id=secret_id)


async def sealed_for_job(
    db: Connection, project_id: str, job_id: UUID, *, environment: str
) -> list[Sealed]:
    return await db.rows(
        Sealed,
        SQL["sealed_for_job"],
        project_id=project_id,
        job_id=job_id,
        environment=environment,
    )


async def reseal(db: Connection, secret_id: UUID, *, sealed: str, former: str) -> int:
    """Zero: the secret was replaced meanwhile."""
    return await db.execute(SQL["reseal"], secret_id=secret_id, sealed=sealed, former=former)


async def announce(db: Connection, project_id: str) -> None:
    await db.execute(SQL["announce"], project_id=project_id)
