"""When a run may be scheduled, and when its window lets it start (behaviour 2.8, 2.11, B.11)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from strait_server.base.cron import parse
from strait_server.base.errors import Invalid
from strait_server.work.intake.rules.schedule import check_schedule, opening

NOW = datetime(2026, 1, 9, 12, 0, tzinfo=UTC)  # a Friday
OFFICE_HOURS = parse("* 9-17 * * 1-5")


def friday(hour, minute=0):
    return datetime(2026, 1, 9, hour, minute, tzinfo=UTC)


def monday(hour, minute=0, second=0):
    return datetime(2026, 1, 12, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize("ahead", [-1, 0, 1, 30 * 86_400])
def test_a_moment_within_thirty_days_is_accepted(ahead):
    check_schedule(NOW + timedelta(seconds=ahead), now=NOW)


def test_a_moment_that_has_passed_is_not():
    with pytest.raises(Invalid, match=r"^scheduled_at must not be in the past$"):
        check_schedule(NOW - timedelta(seconds=1.1), now=NOW)


def test_nor_is_one_beyond_thirty_days():
    with pytest.raises(Invalid, match=r"^scheduled_at cannot exceed 30 days from now$"):
        check_schedule(NOW + timedelta(days=30, seconds=1), now=NOW)


@pytest.mark.parametrize(
    ("now", "scheduled_at", "starts_at"),
    [
        (friday(17, 30), None, None),
        (friday(18), None, monday(9)),
        (friday(12) + timedelta(days=1), None, monday(9)),
        (friday(12), monday(10, 15, 30), monday(10, 15, 30)),
        (friday(12), friday(20), monday(9)),
        (friday(17, 59), friday(17, 58), friday(17, 58)),
        (friday(18), friday(17, 59), monday(9)),  # the reference is now, if that is later
    ],
)
def test_a_run_waits_until_its_window_is_open(now, scheduled_at, starts_at):
    """B.11."""
    assert opening(scheduled_at, OFFICE_HOURS, ZoneInfo("UTC"), now=now) == starts_at


def test_the_top_of_the_hour_is_one_minute():
    """B.11."""
    top = parse("0 9-17 * * 1-5")

    assert opening(None, top, ZoneInfo("UTC"), now=friday(10, 30)) == friday(11)
    assert opening(None, top, ZoneInfo("UTC"), now=friday(10)) is None


@pytest.mark.parametrize(
    ("zone", "starts_at"),
    [
        ("Asia/Tokyo", datetime(2026, 1, 12, 0, 0, tzinfo=UTC)),  # 21:00 there
        ("America/New_York", datetime(2026, 1, 9, 14, 0, tzinfo=UTC)),  # 07:00 there
        ("Europe/Berlin", None),  # 13:00 there
    ],
)
def test_a_window_is_read_on_the_clock_of_its_zone(zone, starts_at):
    assert opening(None, OFFICE_HOURS, ZoneInfo(zone), now=NOW) == starts_at
