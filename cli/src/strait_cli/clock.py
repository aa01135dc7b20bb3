"""What time it is. Nothing else in the command line looks at the wall."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that never go backwards, for measuring and for deadlines."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    time.sleep(seconds)
