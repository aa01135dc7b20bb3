"""Rows of `projects` and `project_quotas`. Each function runs the query of its own name."""

from datetime import datetime
from typing import Final

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.tenancy.projects.model import Project, ProjectSettings, Quotas

SQL: Final = load_queries(__name__)


async def upsert(db: Connection, project_id: str, *, org_id: str, name: str) -> Project | None:
    return await db.row(Project, SQL["upsert"], id=project_id, org_id=org_id, name=name)


async def find(db: Connection, project_id: str) -> Project | None:
    return await db.row(Project, SQL["find"], project_id=project_id)


async def list_of_org(db: Connection, org_id: str, *, limit: int) -> list[Project]:
    return await db.rows(Project, SQL["list_of_org"], org_id=org_id, limit=limit)


async def delete(db: Connection, project_id: str) -> datetime | None:
    """None: there is no such project, or it was deleted before."""
    return await db.row(datetime, SQL["delete"], project_id=project_id)


async def find_settings(db: Connection, project_id: str) -> ProjectSettings | None:
    return await db.row(ProjectSettings, SQL["find_settings"], project_id=project_id)


async def change_settings(
    db: Connection, project_id: str, *, timezone: str | None, default_region: str | None
) -> ProjectSettings | None:
    return await db.row(
        ProjectSettings,
        SQL["change_settings"],
        project_id=project_id,
        timezone=timezone,
        default_region=default_region,
    )


async def lock(db: Connection, project_id: str) -> str | None:
    return await db.row(str, SQL["lock"], project_id=project_id)


async def find_quotas(db: Connection, project_id: str) -> Quotas | None:
    return await db.row(Quotas, SQL["find_quotas"], project_id=project_id)


async def set_quotas(db: Connection, project_id: str, quotas: Quotas) -> str | None:
    return await db.row(
        str,
        SQL["set_quotas"],
        project_id=project_id,
        max_queued_runs=quotas.max_queued_runs,
        max_executing_runs=quotas.max_executing_runs,
        max_jobs=quotas.max_jobs,
        rate_limit_requests=quotas.rate_limit_requests,
        rate_limit_window_secs=quotas.rate_limit_window_secs,
    )
