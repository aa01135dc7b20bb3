"""Durations as people write them, and instants as people say them."""

import re
from datetime import datetime
from typing import Final

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LONGEST: Final = 3_155_760_000.0  # a century: clocks and calendars end not far beyond
_SPOKEN: Final = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))


def parse_duration(text: str) -> float:
    """Read `30s`, `1h30m`, `250ms`, `7d` or plain seconds; answer seconds.

    Raises `ValueError` with a sentence that names the accepted form.
    """
    text = text.strip()
    whole = f"{text}s" if re.fullmatch(r"\d+(?:\.\d+)?", text) else text
    parts = _PART.findall(whole)
    if not parts or "".join(number + unit for number, unit in parts) != whole:
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is longer than a century")
    return seconds


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 instant; an instant without an offset is refused."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time such as 2026-01-31T08:00:00Z") from error
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no offset: add Z, or one such as +02:00")
    return instant


def spoken(at: datetime, *, now: datetime) -> str:
    """Say how far away an instant is: `12 s ago`, `in 5 min`, `now`."""
    seconds = (now - at).total_seconds()
    for size, unit in _SPOKEN:
        if abs(seconds) >= size:
            distance = f"{int(abs(seconds) // size)} {unit}"
            return f"{distance} ago" if seconds > 0 else f"in {distance}"
    return "now"
