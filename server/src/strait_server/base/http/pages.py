"""Lists, a page at a time (api 4).

A cursor is a place between two rows: the time and the id of the last row seen.
With the time alone, rows that share it with the last one of a page would be
skipped (T94). Statements ask for one row more than the page, so that the answer
knows whether there is another.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType

from strait_server.base.errors import Invalid

T = TypeVar("T")

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 100
_LOWEST: Final = UUID(int=0)
_HIGHEST: Final = UUID(int=2**128 - 1)
_LIMIT: Final = re.compile(r"\+?0*([1-9][0-9]*)", re.ASCII)


class Position(NamedTuple):
    """A row's place in a list that is ordered by time and id."""

    at: datetime
    id: UUID


# asyncpg reads `datetime.max` as infinity, which sorts after every time there is.
_LAST: Final = Position(datetime.max.replace(tzinfo=UTC), _HIGHEST)
_FIRST: Final = Position(datetime(1, 1, 2, tzinfo=UTC), _LOWEST)


class PageRequest(Struct, frozen=True):
    """Which part of a list is asked for. Without a cursor: its beginning.

    A cursor without an id is a plain timestamp, and means every row of that
    time has been seen.
    """

    limit: int = DEFAULT_LIMIT
    at: datetime | None = None
    id: UUID | None = None

    @property
    def rows(self) -> int:
        """How many rows to ask for: one more than the page shows."""
        return self.limit + 1

    @property
    def before(self) -> Position:
        """For the newest first: `(created_at, id) < (:before_at, :before_id)`."""
        return _LAST if self.at is None else Position(self.at, self.id or _LOWEST)

    @property
    def after(self) -> Position:
        """For the oldest first: `(created_at, id) > (:after_at, :after_id)`."""
        return _FIRST if self.at is None else Position(self.at, self.id or _HIGHEST)


class Page(Struct, Generic[T], frozen=True, kw_only=True, omit_defaults=True):
    """Part of a list. `next_cursor` asks for the rest, if `has_more`."""

    data: list[T]
    next_cursor: str | UnsetType = UNSET
    has_more: bool


def read_page(limit: str | None, cursor: str | None) -> PageRequest:
    """Read the parameters of a list, or raise `Invalid`."""
    position = _read_cursor(cursor) if cursor else (None, None)
    return PageRequest(_read_limit(limit), *position)


def make_page(
    rows: Sequence[T], page: PageRequest, place: Callable[[T], tuple[datetime, UUID]]
) -> Page[T]:
    """Make the page of up to `page.rows` rows; `place` says where in the list a row stands."""
    shown = list(rows[: page.limit])
    if len(rows) <= page.limit:
        return Page(data=shown, has_more=False)
    return Page(data=shown, next_cursor=_write_cursor(*place(shown[-1])), has_more=True)


def _read_limit(text: str | None) -> int:
    if not text:
        return DEFAULT_LIMIT
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise Invalid("limit must be a positive integer")
    return MAX_LIMIT if len(match[1]) > len(str(MAX_LIMIT)) else min(int(match[1]), MAX_LIMIT)


def _write_cursor(at: datetime, row_id: UUID) -> str:
    return urlsafe_b64encode(f"{at.isoformat()}|{row_id}".encode()).rstrip(b"=").decode()


def _read_cursor(text: str) -> tuple[datetime, UUID | None]:
    """Read a cursor of ours, or a plain RFC 3339 timestamp."""
    try:
        if text[:4].isdigit():
            return _read_time(text), None
        packed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        at, _, row_id = packed.decode("ascii").partition("|")
        return _read_time(at), UUID(row_id)
    except (ValueError, OverflowError) as error:
        raise Invalid("invalid cursor format") from error


def _read_time(text: str) -> datetime:
    # The `+` of an offset arrives as a space when the client did not quote it.
    at = msgspec.convert(text.replace(" ", "+"), datetime)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at.astimezone(UTC)  # a time at the edge of the calendar may have none there
