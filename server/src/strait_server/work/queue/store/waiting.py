"""What happens to waiting runs as time passes."""

from typing import Final
from uuid import UUID

from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries

SQL: Final = load_queries(__name__)


class Moved(Struct, frozen=True):
    """How many runs became due, and the gates at which some of them arrived."""

    moved: int
    gates: tuple[str, ...] | None
    told: int


async def move_due(db: Connection, *, priority_worth: int) -> Moved | None:
    return await db.row(Moved, SQL["move_due"], priority_worth=priority_worth)


async def next_due(db: Connection) -> float | None:
    """Seconds until the next scheduled run is due."""
    return await db.row(float, SQL["next_due"])


async def expire(db: Connection) -> list[UUID]:
    return await db.rows(UUID, SQL["expire"])
