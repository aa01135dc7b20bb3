"""When a run may be scheduled, and when its window lets it start (behaviour 2.8, 2.11)."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from strait_server.base.cron import Cron, is_open, next_opening
from strait_server.base.errors import Invalid

FURTHEST: Final = timedelta(days=30)
_TOLERANCE: Final = timedelta(seconds=1)


def check_schedule(scheduled_at: datetime, *, now: datetime) -> None:
    """Raise `Invalid` for a moment that has passed or is more than 30 days away."""
    if scheduled_at < now - _TOLERANCE:
        raise Invalid("scheduled_at must not be in the past")
    if scheduled_at > now + FURTHEST:
        raise Invalid("scheduled_at cannot exceed 30 days from now")


def opening(
    scheduled_at: datetime | None, window: Cron, zone: ZoneInfo, *, now: datetime
) -> datetime | None:
    """When a run asked for `scheduled_at` may start: then if the window is open, else later."""
    reference = max(now, scheduled_at) if scheduled_at else now
    if is_open(window, reference, zone):
        return scheduled_at
    return next_opening(window, reference, zone)
