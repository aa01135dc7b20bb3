"""The only place that looks at the wall.

What the database compares, it compares with its own clock; this one is for
what never leaves the process: token lifetimes, log times, measured durations.
"""

import time
from datetime import UTC, datetime
from typing import Final


def now() -> datetime:
    """Return the time of day, aware, UTC."""
    return datetime.now(UTC)


unix: Final = time.time
"""Seconds since 1970."""

monotonic: Final = time.monotonic
"""Seconds since some moment; never jumps. For durations and deadlines."""
