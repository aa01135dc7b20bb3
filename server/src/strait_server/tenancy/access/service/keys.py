"""Making, replacing and revoking API keys (behaviour 13.3)."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from strait_server.base.crypto import keys
from strait_server.base.db.connection import Connection
from strait_server.base.errors import Conflict, NotFound
from strait_server.base.http.pages import Page, PageRequest, make_page
from strait_server.base.ids import new_id
from strait_server.tenancy.access import rules, store
from strait_server.tenancy.access.model import (
    Actor,
    APIKey,
    CreatedKey,
    Minted,
    NewKey,
    RotatedKey,
)

_LONGEST_NAME: Final = 245  # with " (rotated)" behind it, still a name


async def create(db: Connection, actor: Actor, new: NewKey) -> CreatedKey:
    """Make a key, and show it for the only time.

    Raises `Forbidden` for scopes the actor lacks (T109), `Invalid` for scopes
    there are not, and `NotFound` when there is no such project.
    """
    scopes = rules.granted(actor, new.scopes)
    key = keys.new()
    made = await store.insert(db, _mint(key, actor), replace(new, scopes=scopes))
    if made is None:
        raise NotFound("project not found")
    return CreatedKey(
        id=made.id,
        project_id=made.project_id,
        name=made.name,
        key=key,
        key_prefix=made.key_prefix,
        scopes=made.scopes,
        created_at=made.created_at,
        expires_at=made.expires_at,
    )


async def list_keys(db: Connection, project_id: str, page: PageRequest) -> Page[APIKey]:
    """List all keys of a project, also those that no longer work; the newest first."""
    rows = await store.list_keys(db, project_id, before=page.before, limit=page.rows)
    return make_page(rows, page, lambda key: (key.created_at, key.id))


async def rotate(
    db: Connection,
    actor: Actor,
    key_id: UUID,
    *,
    grace: timedelta | None = None,
    name: str | None = None,
) -> RotatedKey:
    """Replace a key by one that is its equal; the old one works until the grace is over (T110).

    Both happen or neither does. Raises `Forbidden` when the key holds more
    than the actor, who would gain by it (T109); `Conflict` when it was revoked,
    has expired, or has a successor already.
    """
    grace_seconds = rules.check_grace(grace).total_seconds()
    key = keys.new()
    async with db.transaction():
        old = await store.lock(db, actor.project_id, key_id)
        if old is None:
            raise NotFound("api key not found")
        if old.revoked_at is not None:
            raise Conflict("api key is already revoked")
        if old.replaced_by_key_id is not None:
            raise Conflict("api key is already rotated")
        if old.expired:  # and so would be its successor
            raise Conflict("api key has expired; create a new one")
        rules.check_covers(actor, old.scopes)
        successor = await store.succeed(
            db,
            key_id,
            _mint(key, actor),
            name=name or f"{old.name[:_LONGEST_NAME]} (rotated)",
            grace_seconds=grace_seconds,
        )
        if successor is None:
            raise Conflict("api key changed meanwhile")
    return RotatedKey(
        id=successor.id,
        old_key_id=key_id,
        new_key_id=successor.id,
        project_id=successor.project_id,
        name=successor.name,
        key=key,
        key_prefix=successor.key_prefix,
        scopes=successor.scopes,
        created_at=successor.created_at,
        grace_expires_at=successor.grace_expires_at,
        expires_at=successor.expires_at,
    )


async def revoke(db: Connection, project_id: str | None, key_id: UUID) -> None:
    """End a key at once. Raises `NotFound` when there is none, or it ended before."""
    if await store.revoke(db, project_id, key_id) is None:
        raise NotFound("api key not found or already revoked")


async def revoke_all(db: Connection, project_id: str, *, made_before: datetime) -> int:
    """End every key of a project that is not newer; tell how many there were."""
    return len(await store.revoke_all(db, project_id, made_before=made_before))


def _mint(key: str, actor: Actor) -> Minted:
    return Minted(
        id=new_id(),
        key_hash=keys.hashed(key),
        key_prefix=keys.prefix(key),
        created_by=actor.id,
    )
