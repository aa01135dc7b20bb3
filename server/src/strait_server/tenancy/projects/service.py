"""What can be asked of projects."""

from typing import Final, TypeVar

from msgspec import UNSET
from msgspec.structs import asdict, replace

from strait_server.base import outbox
from strait_server.base.db.connection import Connection
from strait_server.base.errors import Forbidden, Invalid, NotFound
from strait_server.tenancy.access.model import Actor
from strait_server.tenancy.projects import rules, store
from strait_server.tenancy.projects.model import (
    ChangeQuotas,
    Project,
    ProjectDeleted,
    ProjectSettings,
    Quotas,
)

T = TypeVar("T")

_MOST_LISTED: Final = 1000


async def save(db: Connection, actor: Actor, project_id: str, *, org_id: str, name: str) -> Project:
    """Create the project, or give one that exists a new name and owner, also if deleted.

    Only our own services may: the id is theirs to choose.
    """
    if not actor.is_internal:
        raise Forbidden("project creation requires internal secret")
    rules.check_id(project_id)
    return _found(await store.upsert(db, project_id, org_id=org_id, name=name))


async def get(db: Connection, project_id: str) -> Project:
    """Get a project. Raises `NotFound`, also for one that was deleted."""
    return _found(await store.find(db, project_id))


async def list_visible(db: Connection, actor: Actor, *, org_id: str | None) -> list[Project]:
    """List the project of a key, or those of an organization to one of our own services."""
    if not actor.is_internal:
        return [await get(db, actor.project)]
    if not org_id:
        raise Invalid("org_id is required")
    return await store.list_of_org(db, org_id, limit=_MOST_LISTED)


async def delete(db: Connection, project_id: str) -> None:
    """Delete the project; from now on nobody gets in.

    Other rooms are told, and end what they have of it. Raises `NotFound`, also
    for one that was deleted before.
    """
    async with db.transaction():
        deleted_at = await store.delete(db, project_id)
        if deleted_at is None:
            raise NotFound("project not found")
        await outbox.record(db, ProjectDeleted(project_id=project_id, deleted_at=deleted_at))


async def get_settings(db: Connection, project_id: str) -> ProjectSettings:
    return _found(await store.find_settings(db, project_id))


async def change_settings(
    db: Connection,
    project_id: str,
    *,
    timezone: str | None = None,
    default_region: str | None = None,
) -> ProjectSettings:
    """Change what is given and leave the rest."""
    if timezone is not None:
        rules.check_timezone(timezone)
    return _found(
        await store.change_settings(
            db, project_id, timezone=timezone, default_region=default_region
        )
    )


async def get_quotas(db: Connection, project_id: str) -> Quotas:
    return _found(await store.find_quotas(db, project_id))


async def change_quotas(db: Connection, project_id: str, change: ChangeQuotas) -> Quotas:
    """Change the quotas that are given and leave the rest."""
    given = {name: value for name, value in asdict(change).items() if value is not UNSET}
    async with db.transaction():
        _found(await store.lock(db, project_id))
        if timezone := given.get("timezone"):
            await change_settings(db, project_id, timezone=timezone)
        quotas = replace(await get_quotas(db, project_id), **given)
        await store.set_quotas(db, project_id, quotas)
    return quotas


def _found(row: T | None) -> T:
    if row is None:
        raise NotFound("project not found")
    return row
