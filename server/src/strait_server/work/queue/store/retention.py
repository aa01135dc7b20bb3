"""Growing by months, and shrinking again."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries

SQL: Final = load_queries(__name__)


class Swept(Struct, frozen=True):
    """How many runs were deleted, and the last one looked at; None: the end was reached."""

    deleted: int
    last: UUID | None


class Month(Struct, frozen=True):
    """A month of runs: its suffix, like `2026_01`, and its bounds."""

    name: str
    begins_at: datetime
    ends_at: datetime


async def ensure_months(db: Connection) -> int:
    """How many partitions were made."""
    return await db.row(int, SQL["ensure_months"]) or 0


async def retire(db: Connection, *, short: timedelta, long: timedelta, after: UUID) -> Swept:
    swept = await db.row(
        Swept,
        SQL["retire"],
        after=after,
        youngest_seconds=min(short, long or short).total_seconds(),
        short_seconds=short.total_seconds(),
        long_seconds=long.total_seconds(),
    )
    assert swept is not None  # noqa: S101 - a select without a table has a row
    return swept


async def oldest_month(db: Connection) -> Month | None:
    return await db.row(Month, SQL["oldest_month"])


async def is_spent(db: Connection, month: Month, *, short: timedelta, long: timedelta) -> bool:
    spent = await db.row(
        bool,
        SQL["is_spent"],
        ends_at=month.ends_at,
        oldest_seconds=max(short, long).total_seconds(),
        forever=not long,
    )
    return bool(spent)


async def drop_month(db: Connection, month: Month) -> bool:
    """Inside a transaction. False: it stays, because somebody is using it."""
    await db.execute(SQL["name_month"], name=month.name)
    await db.execute(SQL["drop_month"])
    return bool(await db.row(bool, SQL["is_dropped"], name=month.name))


async def forget_dropped(db: Connection, *, begins_at: datetime) -> int:
    return await db.execute(SQL["forget_dropped"], begins_at=begins_at)
