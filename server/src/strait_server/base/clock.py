"""The only place that looks at the wall.

What the database compares, it compares with its own clock; this one is for
what never leaves the process: token lifetimes, log times, measured durations.
"""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the time of day, aware, UTC."""
    return datetime.now(UTC)


def unix() -> float:
    """Seconds since 1970."""
    return time.time()


def monotonic() -> float:
    """Seconds since some moment; never jumps. For durations and deadlines."""
    return time.monotonic()
