"""Rows of `api_keys`, in and out. Each function runs the query of its own name."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.tenancy.access.model import (
    APIKey,
    HeldKey,
    Minted,
    NewKey,
    Recognised,
    Successor,
)

SQL: Final = load_queries(__name__)


async def recognise(db: Connection, key_hash: str) -> Recognised | None:
    return await db.row(Recognised, SQL["recognise"], key_hash=key_hash)


async def insert(db: Connection, minted: Minted, new: NewKey) -> APIKey | None:
    """None: there is no such project."""
    return await db.row(
        APIKey,
        SQL["insert"],
        id=minted.id,
        project_id=new.project_id,
        name=new.name,
        key_hash=minted.key_hash,
        key_prefix=minted.key_prefix,
        scopes=new.scopes,
        created_by=minted.created_by,
        expires_in_days=new.expires_in_days,
        rate_limit_requests=new.rate_limit_requests,
        rate_limit_window_secs=new.rate_limit_window_secs,
    )


async def list_keys(
    db: Connection, project_id: str, *, before: tuple[datetime, UUID], limit: int
) -> list[APIKey]:
    return await db.rows(
        APIKey,
        SQL["list_keys"],
        project_id=project_id,
        before_at=before[0],
        before_id=before[1],
        limit=limit,
    )


async def lock(db: Connection, project_id: str | None, key_id: UUID) -> HeldKey | None:
    return await db.row(HeldKey, SQL["lock"], project_id=project_id, key_id=key_id)


async def succeed(
    db: Connection, key_id: UUID, minted: Minted, *, name: str, grace_seconds: float
) -> Successor | None:
    """None: the old key was replaced or revoked meanwhile."""
    return await db.row(
        Successor,
        SQL["succeed"],
        key_id=key_id,
        successor_id=minted.id,
        name=name,
        key_hash=minted.key_hash,
        key_prefix=minted.key_prefix,
        created_by=minted.created_by,
        grace_seconds=grace_seconds,
    )


async def revoke(db: Connection, project_id: str | None, key_id: UUID) -> UUID | None:
    """None: there is no such key, or it was revoked before."""
    return await db.row(UUID, SQL["revoke"], project_id=project_id, key_id=key_id)


async def revoke_all(db: Connection, project_id: str, *, made_before: datetime) -> list[UUID]:
    return await db.rows(UUID, SQL["revoke_all"], project_id=project_id, made_before=made_before)


async def touch(db: Connection, key_ids: Sequence[UUID]) -> int:
    return await db.execute(SQL["touch"], key_ids=key_ids)
