"""Whether and when to try again (cli 5, trap C4)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_cli.retry import TRIES, after_answer, after_silence, parse_retry_after

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


def wait(status, *, attempt=1, repeatable=True, retry_after=None, jitter=0.0):
    return after_answer(
        status, attempt=attempt, repeatable=repeatable, retry_after=retry_after, jitter=jitter
    )


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_refusal_that_may_pass_is_tried_again(status):
    assert wait(status) == 1
    assert wait(status, attempt=2) == 2


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 404, 409, 422])
def test_any_other_answer_is_final(status):
    assert wait(status) is None


def test_the_third_answer_is_final():
    assert wait(503, attempt=TRIES) is None


def test_what_may_not_be_repeated_is_not():
    assert wait(503, repeatable=False) is None


def test_the_servers_own_delay_is_kept():
    assert wait(429, retry_after=7) == 7


def test_a_delay_beyond_patience_ends_the_tries():
    assert wait(429, retry_after=3600) is None


@given(st.integers(1, TRIES - 1), st.floats(0, 1))
def test_jitter_adds_a_quarter_at_most(attempt, jitter):
    plain = wait(500, attempt=attempt)

    assert plain <= wait(500, attempt=attempt, jitter=jitter) <= plain * 1.25


def test_silence_is_tried_again_on_safe_methods_only():
    assert after_silence(attempt=1, safe=True, jitter=0) == 1
    assert after_silence(attempt=1, safe=False, jitter=0) is None
    assert after_silence(attempt=TRIES, safe=True, jitter=0) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3),
        ("Mon, 05 Jan 2026 10:00:09 GMT", 9),
        ("Mon, 05 Jan 2026 09:00:00 GMT", 0),
        ("later", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(value, seconds):
    assert parse_retry_after(value, now=NOW) == seconds
