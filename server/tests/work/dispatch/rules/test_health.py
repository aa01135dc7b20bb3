"""How well an endpoint does (behaviour 11.1, B.3; T33)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.dispatch.model import Allow, Level, Probe, Wait
from strait_server.work.dispatch.rules.health import (
    PERFECT,
    admit,
    after_failure,
    after_success,
    level,
    throttled,
)

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_failures_in_a_row_lower_the_score_by_a_tenth_each():
    score, scores = PERFECT, []
    for _ in range(13):
        score = after_failure(score)
        scores.append(round(score, 2))

    assert scores == [
        90, 81, 72.9, 65.61, 59.05, 53.14, 47.83, 43.05, 38.74, 34.87, 31.38, 28.24, 25.42,
    ]  # fmt: skip


def test_an_endpoint_is_degraded_after_five_failures_and_unhealthy_after_twelve():
    levels = [level(100 * 0.9**failures) for failures in range(14)]

    assert levels == [Level.HEALTHY] * 5 + [Level.DEGRADED] * 7 + [Level.UNHEALTHY] * 2


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (100, "healthy"),
        (60.01, "healthy"),
        (60, "degraded"),
        (30, "degraded"),
        (29.99, "unhealthy"),
    ],
)
def test_the_levels_have_their_borders(score, expected):
    assert level(score) == expected


@pytest.mark.parametrize(
    ("seconds", "timeout", "expected"),
    [(0, 10, 100), (5, 10, 99), (10, 10, 98), (99, 10, 98), (99, 0, 100), (-1, 10, 100)],
)
def test_a_slow_success_is_worth_less(seconds, timeout, expected):
    assert after_success(PERFECT, seconds=seconds, timeout=timeout) == pytest.approx(expected)


@given(st.lists(st.none() | st.tuples(st.floats(0, 100), st.floats(0, 50)), max_size=60))
def test_the_score_is_the_sum_of_the_three_averages(results):
    """The score alone remembers what success, failure and latency apart would (behaviour 11.1)."""
    score, success, failure, latency = PERFECT, 1.0, 0.0, 1.0
    for result in results:
        if result is None:
            score, succeeded, spared = after_failure(score), 0.0, 0.0
        else:
            seconds, timeout = result
            score = after_success(score, seconds=seconds, timeout=timeout)
            succeeded, spared = 1.0, 1 - min(1, seconds / timeout) if timeout else 1.0
        success = 0.1 * succeeded + 0.9 * success
        failure = 0.1 * (1 - succeeded) + 0.9 * failure
        latency = 0.1 * spared + 0.9 * latency

    assert score == pytest.approx(100 * (0.5 * success + 0.3 * (1 - failure) + 0.2 * latency))
    assert 0 <= score <= 100


@pytest.mark.parametrize(
    ("maximum", "score", "expected"),
    [
        (10, 30, 3),
        (10, 45, 7),
        (10, 60, 10),
        (10, 60.01, 10),
        (8, 50, 6),
        (3, 30, 1),
        (1, 30, 1),
        (0, 30, 0),
        (0, 100, 0),
    ],
)
def test_a_degraded_endpoint_is_throttled(maximum, score, expected):
    assert throttled(maximum, score) == expected


@given(st.integers(1, 1000), st.floats(0, 100))
def test_throttling_never_stops_or_exceeds(maximum, score):
    assert 1 <= throttled(maximum, score) <= maximum


@pytest.mark.parametrize("score", [30, 60, 100])
def test_all_but_the_unhealthy_are_sent_to(score):
    assert admit(score, probe_until=NOW + MINUTE, now=NOW) == Allow()


def test_an_unhealthy_endpoint_gets_one_probe_a_minute():
    assert admit(29, probe_until=None, now=NOW) == Probe(NOW + MINUTE)
    assert admit(29, probe_until=NOW + MINUTE, now=NOW) == Wait(NOW + MINUTE)
    assert admit(29, probe_until=NOW + MINUTE, now=NOW + MINUTE) == Probe(NOW + 2 * MINUTE)


def test_an_unhealthy_endpoint_can_recover():
    """T33: by its probes alone."""
    score, probes = 25.42, 0
    while level(score) is not Level.HEALTHY:
        score, probes = after_success(score, seconds=0.1, timeout=10), probes + 1

    assert probes <= 7
