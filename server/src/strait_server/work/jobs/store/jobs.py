"""Rows of `jobs`, in and out. Each function runs the query of its own name."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec.structs import asdict

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.jobs.model import Job, JobFilter, JobTerms, SlugTaken

SQL: Final = load_queries(__name__)


async def find(
    db: Connection, project_id: str | None, *, job_id: UUID | None, slug: str | None = None
) -> Job | None:
    """No project: any project's job, but by its id only."""
    return await db.row(Job, SQL["find"], project_id=project_id, id=job_id, slug=slug)


async def list_jobs(
    db: Connection, project_id: str, wanted: JobFilter, *, before: tuple[datetime, UUID], limit: int
) -> list[Job]:
    at, job_id = before
    return await db.rows(
        Job,
        SQL["list_jobs"],
        project_id=project_id,
        before_at=at,
        before_id=job_id,
        limit=limit,
        **asdict(wanted),
    )


async def named(
    db: Connection, project_id: str, *, ids: Sequence[UUID], slugs: Sequence[str]
) -> list[UUID]:
    return await db.rows(UUID, SQL["named"], project_id=project_id, ids=ids, slugs=slugs)


async def sealed_secret(db: Connection, project_id: str, job_id: UUID) -> str | None:
    return await db.row(str, SQL["sealed_secret"], project_id=project_id, id=job_id)


async def job_limit(db: Connection, project_id: str) -> int | None:
    """Zero: any number. None: there is no such project."""
    return await db.row(int, SQL["job_limit"], project_id=project_id)


async def lock_count(db: Connection, project_id: str) -> None:
    """Until the end of the transaction."""
    await db.execute(SQL["lock_count"], project_id=project_id)


async def count(db: Connection, project_id: str) -> int:
    return await db.row(int, SQL["count"], project_id=project_id) or 0


async def insert(
    db: Connection, terms: JobTerms, *, secret: str | None, version_id: str, by: str
) -> bool:
    """Answer False when another job of the project has the slug."""
    inserted = await db.execute(
        SQL["insert"], **_columns(terms), endpoint_secret=secret, version_id=version_id, by=by
    )
    return inserted > 0


async def update(
    db: Connection, terms: JobTerms, *, version: int, version_id: str, by: str
) -> bool:
    """Answer False when `version` is no longer the job's. Raises `SlugTaken`."""
    columns = _columns(terms)
    del columns["enabled"]
    try:
        updated = await db.execute(
            SQL["update"], **columns, version=version, version_id=version_id, by=by
        )
    except asyncpg.UniqueViolationError as error:
        raise SlugTaken(terms.slug) from error
    return updated > 0


async def set_secret(db: Connection, project_id: str, job_id: UUID, *, secret: str | None) -> None:
    await db.execute(SQL["set_secret"], project_id=project_id, id=job_id, secret=secret)


async def switch(db: Connection, project_id: str, job_id: UUID, *, enabled: bool, by: str) -> bool:
    """Answer False when it is so already, or there is no such job."""
    switched = await db.execute(
        SQL["switch"], project_id=project_id, id=job_id, enabled=enabled, by=by
    )
    return switched > 0


async def pause(
    db: Connection, project_id: str, job_id: UUID, *, reason: str | None, by: str
) -> bool:
    """Answer False when it is paused already, or there is no such job."""
    paused = await db.execute(SQL["pause"], project_id=project_id, id=job_id, reason=reason, by=by)
    return paused > 0


async def resume(db: Connection, project_id: str, job_id: UUID, *, by: str) -> bool:
    """Answer False when it is not paused, or there is no such job."""
    return await db.execute(SQL["resume"], project_id=project_id, id=job_id, by=by) > 0


async def announce(db: Connection, job_id: UUID) -> None:
    await db.execute(SQL["announce"], id=job_id)


async def lock(db: Connection, project_id: str, job_id: UUID) -> bool:
    """Until the end of the transaction. False: there is no such job."""
    return await db.row(UUID, SQL["lock"], project_id=project_id, id=job_id) is not None


async def is_active(db: Connection, job_id: UUID) -> bool:
    return await db.row(bool, SQL["is_active"], id=job_id) or False


async def delete(db: Connection, project_id: str, job_id: UUID) -> None:
    await db.execute(SQL["delete"], project_id=project_id, id=job_id)


def _columns(terms: JobTerms) -> dict[str, object]:
    columns = {name: getattr(terms, name) for name in JobTerms.__struct_fields__}
    if terms.rate_limit_keys is not None:
        columns["rate_limit_keys"] = msgspec.json.encode(terms.rate_limit_keys)
    return columns
