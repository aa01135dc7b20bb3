"""What a person sees of a thing: columns and their cells."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from strait_cli.durations import spoken

Row = Mapping[str, Any]


class Kind(StrEnum):
    """How a value is worded and coloured. `LONG` may be cut to make room."""

    TEXT = "text"
    LONG = "long"
    TIME = "time"
    STATUS = "status"


class Column(NamedTuple):
    """A column of a table. The first of `keys` that has a value gives the cell."""

    title: str
    keys: tuple[str, ...]
    kind: Kind = Kind.TEXT


class Resource(NamedTuple):
    """One kind of thing: its columns, most telling first, and the keys only `wide` shows."""

    columns: tuple[Column, ...]
    aside: frozenset[str] = frozenset()


_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]+")

# Between two columns, and what is left of a long text at least.
GAP: Final = 2
_SHORTEST: Final = 16

STYLES: Final[Mapping[str, str]] = {
    "completed": "green",
    "ok": "green",
    "up": "green",
    "executing": "cyan",
    "dequeued": "cyan",
    "delayed": "yellow",
    "queued": "yellow",
    "waiting": "yellow",
    "degraded": "yellow",
    "failed": "red",
    "timed_out": "red",
    "crashed": "red",
    "system_failed": "red",
    "dead_letter": "red",
    "down": "red",
    "canceled": "dim",
    "expired": "dim",
}


def column(title: str, *keys: str, kind: Kind = Kind.TEXT) -> Column:
    return Column(title, keys or (title.lower().replace(" ", "_"),), kind)


def cell(row: Row, column: Column, *, now: datetime) -> str:
    """Word one cell. An absent value is an empty cell."""
    value = next((row[key] for key in column.keys if row.get(key) not in (None, "")), None)
    if column.kind is Kind.TIME and isinstance(value, str):
        instant = _instant(value)
        return spoken(instant, now=now) if instant else value
    return worded(value)


def fitting(
    columns: Sequence[Column], rows: Sequence[Row], *, width: int, now: datetime
) -> list[tuple[Column, int]]:
    """Choose the columns that fit, with the width of each.

    A narrow terminal loses columns from the right rather than parts of all of
    them; what room is left goes to the long ones. The first column always stays.
    """
    room = width + GAP
    chosen: list[tuple[Column, int, int]] = []
    for each in columns:
        longest = max(len(each.title), *(len(cell(row, each, now=now)) for row in rows), 0)
        least = min(longest, _SHORTEST) if each.kind is Kind.LONG else longest
        if chosen and least + GAP > room:
            break
        room -= least + GAP
        chosen.append((each, least, longest))
    fitted: list[tuple[Column, int]] = []
    for each, least, longest in chosen:
        more = max(0, min(room, longest - least))
        room -= more
        fitted.append((each, least + more))
    return fitted


def worded(value: object) -> str:
    """Word a JSON value on one line."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return printable(value).replace("\n", " ")
        case list() if all(isinstance(item, str) for item in value):
            return printable(", ".join(value))
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def printable(text: str) -> str:
    """Take out control characters: what a job reports must not command a terminal."""
    return _CONTROL.sub(" ", text)


def fields(resource: Resource, row: Row, *, wide: bool) -> list[str]:
    """List the keys of a row: those with a column first, then the others by name.

    Without `wide`, keys that are set aside or have no value are left out.
    """
    first = [key for column in resource.columns for key in column.keys if key in row]
    names = list(dict.fromkeys([*first, *sorted(row)]))
    if wide:
        return names
    empty: tuple[object, ...] = (None, "", [], {})
    return [name for name in names if name not in resource.aside and row[name] not in empty]


def dated(key: str, value: object, *, now: datetime) -> str:
    """Word a field of a single thing; instants get their distance beside them."""
    instant = (
        _instant(value) if isinstance(value, str) and key.endswith(("_at", "_until")) else None
    )
    return f"{value} ({spoken(instant, now=now)})" if instant else worded(value)


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else None
