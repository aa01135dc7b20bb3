"""The only place that looks at the wall.

What the database compares, it compares with its own clock, and what endpoints
are told is by that one, too; this one is for log times and measured durations,
and for tokens that the API issues or reads.
"""

import time
from datetime import UTC, datetime
from typing import Final


def now() -> datetime:
    """Return the time of day, aware, UTC."""
    return datetime.now(UTC)


def unix() -> float:
    """Seconds since 1970."""
    return time.time()


monotonic: Final = time.monotonic
"""Seconds since some moment; never jumps. For durations and deadlines."""
