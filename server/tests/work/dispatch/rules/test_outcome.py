"""What follows from a failed attempt (behaviour 3.1, 4.2, 4.4, 4.5, 4.6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strait_server.work.dispatch.model import (
    Attempt,
    Cause,
    Crashed,
    Failure,
    GiveUp,
    RetryAt,
    RetryPolicy,
    Snooze,
    Streak,
    SystemFailed,
    TimedOut,
)
from strait_server.work.dispatch.rules.answer import DEADLINE_PASSED, HEARTBEAT_LOST
from strait_server.work.dispatch.rules.classify import RETRYABLE
from strait_server.work.dispatch.rules.outcome import after_failure, snooze, snooze_seconds
from strait_server.work.dispatch.rules.poison import error_hash
from strait_server.work.queue.model import ErrorClass, RetryStrategy

BOOM = Failure(error="endpoint returned 500: boom", error_class=ErrorClass.SERVER)
BOOM_HASH = "569b19befa942358"

failures = st.builds(
    Failure,
    error=st.text(max_size=30),
    error_class=st.sampled_from(ErrorClass),
    cause=st.sampled_from(Cause),
    retry_after_seconds=st.floats(0, 1e6),
)
attempts = st.builds(
    Attempt,
    number=st.integers(1, 200),
    policy=st.builds(
        RetryPolicy,
        max_attempts=st.integers(1, 100),
        strategy=st.sampled_from(RetryStrategy),
        poison_threshold=st.integers(0, 5),
    ),
    streak=st.none() | st.builds(Streak, st.just(BOOM_HASH), st.integers(1, 5)),
)
jitters = st.floats(-0.2, 0.2)


def an_attempt(number=1, *, streak=None, **policy):
    return Attempt(number=number, policy=RetryPolicy(**policy), streak=streak)


def follows(attempt, failure=BOOM, *, jitter=0.0):
    return after_failure(attempt, failure, jitter=jitter)


def test_a_failure_that_may_pass_is_tried_again():
    assert follows(an_attempt(2, max_attempts=3)) == RetryAt(
        delay_seconds=2, error=BOOM.error, error_class=ErrorClass.SERVER
    )


def test_after_the_last_attempt_it_is_a_dead_letter():
    assert follows(an_attempt(3, max_attempts=3)) == GiveUp(
        error=BOOM.error, error_class=ErrorClass.SERVER
    )


def test_a_deadline_is_tried_again_while_attempts_are_left():
    verdict = follows(an_attempt(1), DEADLINE_PASSED)

    assert verdict == RetryAt(
        delay_seconds=1, error="execution timed out", error_class=ErrorClass.TIMEOUT
    )


def test_a_deadline_on_the_last_attempt_times_the_run_out():
    verdict = follows(an_attempt(3), DEADLINE_PASSED)

    assert verdict == TimedOut(error="execution timed out", error_class=ErrorClass.TIMEOUT)


def test_a_408_on_the_last_attempt_is_a_dead_letter():
    """The endpoint answered in time; that it says timeout is its own affair."""
    failure = Failure(error="endpoint returned 408", error_class=ErrorClass.TIMEOUT)

    assert isinstance(follows(an_attempt(3), failure), GiveUp)


def test_a_lost_run_is_tried_again_while_attempts_are_left():
    verdict = follows(an_attempt(2), HEARTBEAT_LOST)

    assert verdict == RetryAt(
        delay_seconds=2, error="heartbeat lost", error_class=ErrorClass.TRANSIENT
    )


def test_a_run_lost_on_its_last_attempt_has_crashed():
    verdict = follows(an_attempt(3), HEARTBEAT_LOST)

    assert verdict == Crashed(error="heartbeat lost", error_class=ErrorClass.TRANSIENT)


@pytest.mark.parametrize("error_class", sorted(set(ErrorClass) - RETRYABLE))
def test_what_cannot_pass_is_a_dead_letter_at_once(error_class):
    failure = replace(BOOM, error_class=error_class)

    verdict = follows(an_attempt(1, max_attempts=100), failure)

    assert verdict == GiveUp(error=BOOM.error, error_class=error_class)


def test_an_endpoint_that_asks_for_patience_gets_it():
    verdict = follows(an_attempt(1), replace(BOOM, retry_after_seconds=120.0))

    assert verdict.delay_seconds == 120


@given(attempt=attempts, failure=failures, jitter=jitters)
def test_nobody_is_tried_more_often_than_the_policy_allows(attempt, failure, jitter):
    verdict = follows(attempt, failure, jitter=jitter)

    if isinstance(verdict, RetryAt):
        assert attempt.number < attempt.policy.max_attempts
        assert failure.error_class in RETRYABLE
        assert 0.8 <= verdict.delay_seconds <= attempt.policy.max_seconds


@given(attempt=attempts, failure=failures, jitter=jitters)
def test_every_verdict_says_what_happened(attempt, failure, jitter):
    verdict = follows(attempt, failure, jitter=jitter)

    assert verdict.error.endswith(failure.error)
    assert verdict.error_class is failure.error_class


def test_the_same_error_is_counted_while_it_is_retried():
    first = follows(an_attempt(1, max_attempts=9, poison_threshold=3))
    second = follows(an_attempt(2, max_attempts=9, poison_threshold=3, streak=first.streak))

    assert first.streak == Streak(BOOM_HASH, 1)
    assert second.streak == Streak(BOOM_HASH, 2)


def test_the_same_error_too_often_is_poison():
    attempt = an_attempt(3, max_attempts=9, poison_threshold=3, streak=Streak(BOOM_HASH, 2))

    assert follows(attempt) == GiveUp(
        error="poison pill detected (same error 3 times): endpoint returned 500: boom",
        error_class=ErrorClass.SERVER,
    )


def test_a_threshold_of_one_gives_up_at_the_first_failure():
    assert follows(an_attempt(1, poison_threshold=1)).error.startswith("poison pill detected")


def test_another_error_starts_the_count_anew():
    attempt = an_attempt(3, max_attempts=9, poison_threshold=3, streak=Streak("other", 2))

    assert follows(attempt).streak == Streak(BOOM_HASH, 1)


def test_deadlines_are_counted_too():
    streak = Streak(error_hash("execution timed out"), 1)

    verdict = follows(
        an_attempt(2, max_attempts=9, poison_threshold=2, streak=streak), DEADLINE_PASSED
    )

    assert isinstance(verdict, GiveUp)
    assert verdict.error_class is ErrorClass.TIMEOUT


def test_a_deadline_on_the_last_attempt_is_no_poison():
    """Only what would be tried again is held against the threshold."""
    streak = Streak(error_hash("execution timed out"), 2)

    verdict = follows(an_attempt(3, poison_threshold=3, streak=streak), DEADLINE_PASSED)

    assert isinstance(verdict, TimedOut)


def test_without_a_threshold_nothing_is_counted():
    assert follows(an_attempt(1)).streak is None


def test_a_run_that_may_not_be_sent_is_put_off():
    verdict = snooze(times=49, at_most=50, delay_seconds=12.5, reason="circuit open")

    assert verdict == Snooze(delay_seconds=12.5, reason="circuit open")


def test_a_run_put_off_too_often_has_failed_for_our_reasons():
    verdict = snooze(times=50, at_most=50, delay_seconds=12.5, reason="circuit open")

    assert verdict == SystemFailed(
        error="max snooze count (50) exceeded: circuit open", error_class=ErrorClass.SERVER
    )


@pytest.mark.parametrize(("attempt", "expected"), [(1, 1), (4, 8), (13, 3600)])
def test_a_snooze_without_an_end_doubles_with_the_attempt(attempt, expected):
    assert snooze_seconds(attempt, jitter=0.0) == expected
