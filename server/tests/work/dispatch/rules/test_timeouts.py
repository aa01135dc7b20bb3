"""How long an attempt may take, and what must outlive it (behaviour 3.1 step 9, 3.2, 13.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.dispatch.rules.timeouts import (
    attempt_seconds,
    token_seconds,
)

seconds = st.floats(1, 86_400)


@pytest.mark.parametrize(
    ("p95", "expected"),
    [(None, 300), (10, 300), (200, 300), (300, 450), (400, 600), (10_000, 600)],
)
def test_a_slow_job_gets_more_time_up_to_twice_its_timeout(p95, expected):
    """T38."""
    allowed = attempt_seconds(300, overridden=False, p95=p95, token_life=86_400)

    assert allowed == expected


def test_a_timeout_that_was_asked_for_is_kept():
    assert attempt_seconds(300, overridden=True, p95=400, token_life=86_400) == 300


@given(timeout=seconds, p95=st.none() | seconds, expires_in=st.none() | st.floats(-1e6, 1e6))
def test_a_token_lives_as_long_as_the_attempt_may_take(timeout, p95, expires_in):
    """T38."""
    life = token_seconds(timeout, expires_in=expires_in)

    allowed = attempt_seconds(timeout, overridden=False, p95=p95, token_life=life)

    assert timeout <= allowed <= life
    assert allowed <= 2 * timeout


@given(timeout=seconds, p95=seconds, life=seconds)
def test_an_attempt_is_only_ever_given_more_time(timeout, p95, life):
    allowed = attempt_seconds(timeout, overridden=False, p95=p95, token_life=life)

    assert allowed >= timeout


@pytest.mark.parametrize(
    ("timeout", "expires_in", "expected"),
    [(300, None, 360), (300, 100, 360), (300, 5000, 5000), (300, -20, 360)],
)
def test_a_token_outlives_its_attempt_and_lasts_as_long_as_the_run(timeout, expires_in, expected):
    assert token_seconds(timeout, expires_in=expires_in) == expected


def test_a_job_with_a_timeout_of_900_may_take_800():
    """T24: nothing of ours ends an attempt before its job's timeout does."""
    assert attempt_seconds(900, overridden=False, p95=None, token_life=960) == 900
