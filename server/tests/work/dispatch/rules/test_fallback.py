"""A second endpoint, when the first is unwell (behaviour 3.5; T32)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.dispatch.model import Cause, Failure
from strait_server.work.dispatch.rules.answer import DEADLINE_PASSED
from strait_server.work.dispatch.rules.fallback import both_failed, may_help, seconds_left
from strait_server.work.queue.model import ErrorClass


@pytest.mark.parametrize("error_class", sorted(ErrorClass))
def test_a_fallback_helps_against_an_unwell_endpoint(error_class):
    helped = {"transient", "rate_limited", "connection", "timeout", "server"}

    failure = Failure(error="boom", error_class=error_class)

    assert may_help(failure) is (error_class in helped)


@pytest.mark.parametrize(
    ("timeout", "spent", "expected"),
    [(300, 10, 290), (300, 300, 30), (300, 301, 30), (300, 299, 30), (10, 10, 10), (10, 4, 10)],
)
def test_a_fallback_gets_what_is_left_and_never_next_to_nothing(timeout, spent, expected):
    assert seconds_left(timeout, spent) == expected


@given(timeout=st.floats(1, 86_400), spent=st.floats(0, 100_000))
def test_a_fallback_never_gets_more_than_a_whole_timeout(timeout, spent):
    assert min(timeout, 30) <= seconds_left(timeout, spent) <= timeout


def test_a_double_failure_is_of_the_primarys_class():
    """T32."""
    joined = both_failed(
        DEADLINE_PASSED, Failure(error="connect: refused", error_class=ErrorClass.CONNECTION)
    )

    assert joined == Failure(
        error=(
            "primary dispatch failed: execution timed out;"
            " fallback dispatch failed: connect: refused"
        ),
        error_class=ErrorClass.TIMEOUT,
        cause=Cause.DEADLINE,
    )


@given(st.text(max_size=5000), st.text(max_size=5000))
def test_both_texts_are_heard_within_the_bound(one, other):
    joined = both_failed(
        Failure(error=one, error_class=ErrorClass.SERVER),
        Failure(error=other, error_class=ErrorClass.CLIENT),
    )

    assert len(joined.error.encode()) <= 4096
    assert joined.error.startswith("primary dispatch failed: ")
    assert "; fallback dispatch failed: " in joined.error
