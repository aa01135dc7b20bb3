"""How much a worker takes, where it looks, when a window opens (behaviour 2.3, 2.4, 2.11)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.cron import is_open, parse
from strait_server.work.queue.service import CLAIM_SIZES
from strait_server.work.workers.rules.appetite import claim_size, is_short_of_memory
from strait_server.work.workers.rules.watermark import PRIORITIES, Watermark
from strait_server.work.workers.rules.window import seconds_until_open

SECOND = 1_000_000
MINUTE = 60 * SECOND
BERLIN = ZoneInfo("Europe/Berlin")

places = st.lists(
    st.tuples(st.integers(0, PRIORITIES - 1), st.integers(1, 10**9)), min_size=1, max_size=20
)


@given(free=st.integers(-5, 500), concurrency=st.integers(1, 500), backlog=st.booleans(),
       at_most=st.integers(1, 500))  # fmt: skip
def test_nobody_claims_more_than_there_is_room_for(free, concurrency, backlog, at_most):
    """T10."""
    size = claim_size(
        free=free, concurrency=concurrency, backlog=backlog, sizes=CLAIM_SIZES, at_most=at_most
    )

    assert size == 0 or size in CLAIM_SIZES
    assert size <= max(free, 0)
    assert size <= at_most


@given(free=st.integers(1, 500), concurrency=st.integers(1, 500))
def test_with_a_free_place_and_no_backlog_something_is_claimed(free, concurrency):
    assert claim_size(
        free=free, concurrency=concurrency, backlog=False, sizes=CLAIM_SIZES, at_most=250
    )


@given(concurrency=st.integers(1, 500), backlog=st.booleans())
def test_an_idle_worker_always_claims(concurrency, backlog):
    assert claim_size(
        free=concurrency, concurrency=concurrency, backlog=backlog, sizes=CLAIM_SIZES, at_most=250
    )


def test_a_backlog_is_claimed_in_large_bites_of_half_the_places():
    def size(free):
        return claim_size(free=free, concurrency=100, backlog=True, sizes=CLAIM_SIZES, at_most=250)

    assert [size(free) for free in (1, 12, 13, 49, 60, 100)] == [0, 0, 10, 25, 50, 50]


def test_without_a_backlog_a_claim_fills_all_places():
    size = claim_size(free=100, concurrency=100, backlog=False, sizes=CLAIM_SIZES, at_most=250)

    assert size == 100


@pytest.mark.parametrize(
    ("resident", "threshold", "short"), [(50, 0, False), (80, 80, False), (81, 80, True)]
)
def test_memory_is_short_above_the_threshold(resident, threshold, short):
    assert is_short_of_memory(resident, 100, threshold_pct=threshold) is short


@given(places, st.integers(0, 10**9))
def test_a_floor_is_never_above_what_was_claimed_nor_within_a_second_of_now(claimed, now):
    watermark = Watermark()
    watermark.floors(at=100.0)

    watermark.claimed(claimed, now_micros=now)

    floors = watermark.floors(at=100.1)
    for priority, place in claimed:
        assert floors[priority] <= place
        assert floors[priority] <= now - SECOND


def test_only_the_priorities_of_the_claim_move():
    watermark = Watermark()
    watermark.floors(at=100.0)
    watermark.claimed([(3, 50 * SECOND), (3, 40 * SECOND)], now_micros=90 * SECOND)

    floors = watermark.floors(at=100.1)

    assert floors[3] == 40 * SECOND
    assert sum(floors) == floors[3]


@given(st.lists(st.tuples(places, st.floats(0.0, 10.0)), max_size=20))
def test_within_a_minute_every_place_is_looked_at_again(steps):
    """Whatever was claimed meanwhile: what a long transaction brought late is found."""
    watermark = Watermark()
    at = looked_everywhere = 1000.0
    for claimed, pause in [*steps, ([(0, 1)], 60.0)]:
        at += pause
        everywhere = not any(watermark.floors(at=at))
        assert everywhere or at - looked_everywhere < 60.0
        looked_everywhere = at if everywhere else looked_everywhere
        watermark.claimed(claimed, now_micros=int(at * SECOND))


def test_every_five_seconds_the_last_minute_is_looked_at_again():
    watermark = Watermark()
    now = 1000 * SECOND
    watermark.floors(at=100.0)
    watermark.claimed([(0, now - 2 * SECOND)], now_micros=now)

    assert watermark.floors(at=104.9)[0] == now - 2 * SECOND
    assert watermark.floors(at=105.0)[0] == now - MINUTE
    assert watermark.floors(at=105.1)[0] == now - 2 * SECOND


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-27T17:30:00", None),
        ("2026-11-27T18:00:00", "2026-11-30T09:00:00"),
        ("2026-11-28T12:00:00", "2026-11-30T09:00:00"),
        ("2026-11-30T10:15:30", None),
    ],
)
def test_a_window_of_working_hours(now, opens):
    """B.11."""
    here = datetime.fromisoformat(now).replace(tzinfo=UTC)
    expected = datetime.fromisoformat(opens).replace(tzinfo=UTC) - here if opens else timedelta(0)

    wait = seconds_until_open(parse("* 9-17 * * 1-5"), ZoneInfo("UTC"), now=here)

    assert wait == expected.total_seconds()


@given(st.timedeltas(timedelta(0), timedelta(days=7000)))
def test_after_the_wait_the_window_is_open(since):
    now = datetime(2020, 1, 1, tzinfo=UTC) + since
    window = parse("15-30 2,9-17 * * 1-5")

    wait = seconds_until_open(window, BERLIN, now=now)

    assert wait is not None
    assert wait >= 0
    assert is_open(window, now + timedelta(seconds=wait), BERLIN)
    assert wait == 0 or not is_open(window, now, BERLIN)
