"""How long a run waits before it is tried again (behaviour 4.1, B.1; T30, T31)."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.dispatch.model import RetryPolicy
from strait_server.work.dispatch.rules.retry import (
    MAX_JITTER,
    delay_seconds,
    nominal_seconds,
    retry_after_seconds,
)
from strait_server.work.queue.model import RetryStrategy

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)

EXPONENTIAL = RetryPolicy(strategy=RetryStrategy.EXPONENTIAL)
LINEAR = RetryPolicy(strategy=RetryStrategy.LINEAR)
FIXED = RetryPolicy(strategy=RetryStrategy.FIXED)
CUSTOM = RetryPolicy(strategy=RetryStrategy.CUSTOM, delays=(1, 5, 30, 120))
STEP = RetryPolicy(strategy=RetryStrategy.EXPONENTIAL, initial_seconds=5, max_seconds=60)

policies = st.builds(
    RetryPolicy,
    strategy=st.sampled_from(RetryStrategy),
    delays=st.lists(st.integers(1, 10**9), max_size=5).map(tuple),
    initial_seconds=st.integers(1, 10**6),
    max_seconds=st.integers(1, 10**6),
)
attempts = st.integers(1, 10_000)
jitters = st.floats(-MAX_JITTER, MAX_JITTER)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (EXPONENTIAL, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]),
        (LINEAR, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
        (FIXED, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        (CUSTOM, [1, 5, 30, 120, 120, 120]),
        (STEP, [5, 10, 20, 40, 60, 60]),
    ],
    ids=["exponential", "linear", "fixed", "custom", "step"],
)
def test_each_strategy_shows_its_documented_delays(policy, expected):
    """T30."""
    delays = [nominal_seconds(attempt, policy) for attempt in range(1, len(expected) + 1)]

    assert delays == expected


@pytest.mark.parametrize("policy", [EXPONENTIAL, LINEAR])
def test_the_ten_thousandth_attempt_waits_for_the_cap(policy):
    assert nominal_seconds(10_000, policy) == 3600


def test_custom_without_delays_is_exponential():
    policy = RetryPolicy(strategy=RetryStrategy.CUSTOM)

    assert [nominal_seconds(attempt, policy) for attempt in (1, 2, 3)] == [1, 2, 4]


def test_a_fixed_delay_is_the_initial_one():
    assert nominal_seconds(7, RetryPolicy(strategy=RetryStrategy.FIXED, initial_seconds=9)) == 9


@pytest.mark.parametrize(("jitter", "expected"), [(-0.2, 3.2), (0.0, 4.0), (0.2, 4.8)])
def test_jitter_is_a_fifth_in_either_direction(jitter, expected):
    assert delay_seconds(3, EXPONENTIAL, jitter=jitter) == pytest.approx(expected)


@given(attempt=attempts, policy=policies, jitter=jitters, asked=st.floats(0, 1e9))
def test_no_delay_passes_its_cap_or_is_next_to_nothing(attempt, policy, jitter, asked):
    """T31: neither jitter nor the endpoint's wish."""
    delay = delay_seconds(attempt, policy, jitter=jitter, at_least=asked)

    assert 0.8 <= delay <= policy.max_seconds


@given(attempt=attempts, policy=policies, jitter=jitters)
def test_jitter_moves_a_delay_by_a_fifth_at_most(attempt, policy, jitter):
    nominal = nominal_seconds(attempt, policy)

    delay = delay_seconds(attempt, policy, jitter=jitter)

    assert 0.8 * nominal - 1e-6 <= delay <= 1.2 * nominal + 1e-6


@given(attempt=attempts, policy=policies, asked=st.floats(0, 1e9))
def test_an_endpoint_is_not_asked_again_before_it_said(attempt, policy, asked):
    delay = delay_seconds(attempt, policy, jitter=0.0, at_least=asked)

    assert delay >= min(asked, policy.max_seconds)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("Mon, 05 Jan 2026 10:02:00 GMT", 120),
        ("Mon, 05 Jan 2026 10:02:00 -0000", 120),
        ("Mon, 05 Jan 2026 09:00:00 GMT", 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("", 0),
        ("٣", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, expected):
    assert retry_after_seconds(header, now=NOW) == expected


def test_a_retry_after_of_absurd_length_is_only_long():
    assert retry_after_seconds("9" * 10_000, now=NOW) == float("inf")
    assert delay_seconds(1, EXPONENTIAL, jitter=0.0, at_least=float("inf")) == 3600


@given(st.text(max_size=40))
def test_no_header_breaks_the_reader(header):
    assert retry_after_seconds(header, now=NOW) >= 0


@given(
    seconds=st.integers(0, 10**8),
    zone=st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)
def test_a_date_is_read_in_its_zone(seconds, zone):
    header = format_datetime((NOW + timedelta(seconds=seconds)).astimezone(zone))

    assert retry_after_seconds(header, now=NOW) == seconds
