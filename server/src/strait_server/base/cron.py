"""Cron expressions: which minutes of which days, on the wall clock of a zone.

An expression has five fields, minute hour day month weekday (behaviour 8.2).
It speaks about wall time, which is no line: once a year an hour is missing and
once a year an hour is there twice. So an expression is first matched against
wall times as such, and each match is then looked up in the zone:

- a wall time that is skipped in spring does not fire;
- a wall time that comes twice in autumn fires at both, if the hour field has
  a `*` or a step; if it names its hours it fires at the first (T80).

Execution windows (behaviour 2.11) ask the same expressions whether a minute
matches. They take the wall clock at its word: an hour that comes twice is twice inside.
"""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from msgspec import Struct

_DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                  "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")  # fmt: skip
_WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SUNDAY_TOO: Final = 7
_MAX_DIGITS: Final = 9
_A_DAY: Final = timedelta(days=1)


class CronError(ValueError):
    """The expression is not one of ours. The text says why, for its author."""


class Cron(Struct, frozen=True, eq=False):
    """A valid expression.

    `once`: it names its hours, so an hour that comes twice counts once.
    `wall`: where its fields are kept, and matched against times without a zone.
    """

    expression: str
    once: bool
    wall: CronSim

    def matches(self, wall: datetime) -> bool:
        """Whether the minute of this wall time belongs to the expression."""
        return (
            wall.minute in self.wall.minutes
            and wall.hour in self.wall.hours
            and wall.month in self.wall.months
            and self.wall.match_day(wall.date())
        )

    def next_after(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """Find the first fire later than `at`, in UTC. None: not within fifty years."""
        return _first(self, at, zone, once=self.once)


def parse(expression: str) -> Cron:
    """Read an expression, or raise `CronError`."""
    parts = _DESCRIPTORS.get(expression.strip().lower(), expression).upper().split()
    _check_shape(parts)
    fields = [_read(field, part) for field, part in zip(_FIELDS, parts, strict=True)]
    try:
        wall = CronSim(" ".join(fields), datetime.min)  # noqa: DTZ901 - wall time has no zone
    except CronSimError as error:
        raise CronError("the day never comes in the months named") from error
    return Cron(expression, once=not _is_open_ended(parts[1]), wall=wall)


def is_open(window: Cron, at: datetime, zone: ZoneInfo) -> bool:
    """Whether the minute of `at` lies in the window."""
    return window.matches(at.astimezone(zone))


def next_opening(window: Cron, at: datetime, zone: ZoneInfo) -> datetime | None:
    """Answer `at` itself inside the window, else the minute it opens, in UTC."""
    if is_open(window, at, zone):
        return at
    return _first(window, at, zone, once=False)


def _first(cron: Cron, at: datetime, zone: ZoneInfo, *, once: bool) -> datetime | None:
    """Find the first instant after `at` that reads a matching wall time.

    Where the clock is about to be put back, wall times that lie behind us come
    again: the search begins that much earlier, and the first match of the
    second pass waits until the first pass has none left before it.
    """
    at = at.astimezone(UTC)
    here = at.astimezone(zone)
    repeated = _offset(here) - _offset((at + _A_DAY).astimezone(zone))
    second_pass: datetime | None = None
    for wall in _walls(cron, here.replace(tzinfo=None) - max(repeated, timedelta(0))):
        first, second = _instants(wall, zone)
        if first is not None and first > at:
            return first if second_pass is None else min(first, second_pass)
        if second is not None and second > at and not once and second_pass is None:
            second_pass = second
    return second_pass


def _walls(cron: Cron, after: datetime) -> Iterator[datetime]:
    walls = copy.copy(cron.wall)  # parsing it anew would take ten times as long
    walls.dt = after.replace(microsecond=0)
    try:
        yield from walls
    except OverflowError:  # the year 9999
        return


def _instants(wall: datetime, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """Look up when the clocks of the zone show this time: once, twice or never."""
    here = wall.replace(tzinfo=zone)
    again = here.replace(fold=1)
    first = (wall - _offset(here)).replace(tzinfo=UTC)
    if _offset(here) == _offset(again):
        return first, None
    if _offset(here) < _offset(again):
        return None, None
    return first, (wall - _offset(again)).replace(tzinfo=UTC)


def _offset(here: datetime) -> timedelta:
    return here.utcoffset() or timedelta(0)


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 6, _WEEKDAYS),
)


def _check_shape(parts: list[str]) -> None:
    if parts and parts[0].startswith("@"):
        raise CronError(f"{parts[0].lower()} is not known: write five fields, or @hourly, @daily …")
    if parts and parts[0].startswith(("TZ=", "CRON_TZ=")):
        raise CronError("the time zone does not belong in the expression: it has its own field")
    if len(parts) != len(_FIELDS):
        raise CronError(f"write five fields, minute hour day month weekday: these are {len(parts)}")


def _read(field: _Field, part: str) -> str:
    """Spell a field so that CronSim takes it as we do: a star, or a list of numbers.

    CronSim gives `*/2` in one day field the right to veto the other; here it
    is a list like any other, and either day suffices.
    """
    terms = part.split(",")
    values = sorted({value for term in terms for value in _term(field, term)})
    if any(_is_star(term) for term in terms):
        return "*"
    return ",".join(map(str, values))


def _term(field: _Field, term: str) -> range | set[int]:
    body, slash, step_text = term.partition("/")
    step = _number(field, step_text, term) if slash else 1
    if step == 0:
        raise CronError(f"{field.name}: the step of {term!r} is zero")
    low_text, dash, high_text = body.partition("-")
    if body in {"*", "?"}:
        low, high = field.low, field.high
    elif dash:
        low, high = _value(field, low_text, term), _value(field, high_text, term)
    else:
        low = _value(field, low_text, term)
        low = 0 if field.names is _WEEKDAYS and low == _SUNDAY_TOO else low
        high = field.high if slash else low
    if low > high:
        raise CronError(f"{field.name}: {term!r} runs backwards")
    values = range(low, high + 1, step)
    return {value % _SUNDAY_TOO for value in values} if field.names is _WEEKDAYS else values


def _value(field: _Field, text: str, term: str) -> int:
    if text in field.names:
        return field.names.index(text) + field.low
    value = _number(field, text, term)
    high = _SUNDAY_TOO if field.names is _WEEKDAYS else field.high
    if not field.low <= value <= high:
        raise CronError(f"{field.name}: {text} is not between {field.low} and {high}")
    return value


def _number(field: _Field, text: str, term: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise CronError(f"{field.name}: {term!r} cannot be read")
    return int(text)


def _is_star(term: str) -> bool:
    return term in {"*", "?", "*/1", "?/1"}


def _is_open_ended(part: str) -> bool:
    return any(mark in part for mark in "*?/")
