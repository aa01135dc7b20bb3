"""Which part of a list of ids is meant by a place in it, or by times.

Ids grow with time, so lists of runs are in the order of their ids. But an id is
made when the request comes in, by the clock of the API, and `created_at` when it
is written, by the database's: bounds made of times leave room between the two.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from strait_server.base.ids import floor_id

LOWEST: Final = UUID(int=0)
HIGHEST: Final = UUID(int=2**128 - 1)

_BETWEEN_CLOCKS: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)


class Place(Protocol):
    """Where in a list the caller is: at a row, or only at a time."""

    @property
    def at(self) -> datetime | None: ...
    @property
    def id(self) -> UUID | None: ...


def before_in(place: Place) -> UUID:
    """For the newest first: what is shown is below this."""
    if place.at is None:
        return HIGHEST
    return place.id or _floor(place.at)


def after_in(place: Place) -> UUID:
    """For the oldest first: what is shown is above this."""
    if place.at is None:
        return LOWEST
    return place.id or _floor(place.at)


def not_before(created_after: datetime | None) -> UUID:
    """No run created then or later has a lower id."""
    return LOWEST if created_after is None else _floor(created_after, -_BETWEEN_CLOCKS)


def not_after(created_before: datetime | None) -> UUID:
    """No run created before then has this id or a higher one."""
    return HIGHEST if created_before is None else _floor(created_before, _BETWEEN_CLOCKS)


def _floor(at: datetime, margin: timedelta = timedelta()) -> UUID:
    if not _EPOCH + _BETWEEN_CLOCKS < at < _LAST:
        return LOWEST if at < _LAST else HIGHEST
    return floor_id(at + margin)
