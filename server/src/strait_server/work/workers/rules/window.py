"""Whether the execution window of a job lets a run go (behaviour 2.11, T11)."""

from datetime import datetime
from zoneinfo import ZoneInfo

from strait_server.base.cron import Cron, next_opening


def seconds_until_open(window: Cron, zone: ZoneInfo, *, now: datetime) -> float | None:
    """How long a run must wait, 0 inside the window; None: it does not open any more."""
    opening = next_opening(window, now, zone)
    return None if opening is None else (opening - now).total_seconds()
