"""What follows from a failed attempt, or from one that could not be made (behaviour 4.4)."""

from typing import Final

from strait_server.work.dispatch.model import (
    AfterFailure,
    Attempt,
    Cause,
    Crashed,
    Failure,
    GiveUp,
    RetryAt,
    RetryPolicy,
    Snooze,
    SystemFailed,
    TimedOut,
)
from strait_server.work.dispatch.rules import poison, retry
from strait_server.work.dispatch.rules.classify import RETRYABLE
from strait_server.work.dispatch.rules.error_text import MAX_BYTES, cut

_SNOOZING: Final = RetryPolicy()


def after_failure(attempt: Attempt, failure: Failure, *, jitter: float) -> AfterFailure:
    """Decide between another attempt and the end.

    There is another one if attempts are left, if the kind of failure may pass,
    and if it is not the same error over and over (behaviour 4.5). A run that
    may not be tried again ends the way its last attempt did.
    """
    policy = attempt.policy
    if attempt.number >= policy.max_attempts or failure.error_class not in RETRYABLE:
        return _end(failure)
    streak = poison.continued(attempt.streak, failure.error) if policy.poison_threshold else None
    if streak and streak.count >= policy.poison_threshold:
        error = f"poison pill detected (same error {streak.count} times): {failure.error}"
        return GiveUp(error=cut(error, MAX_BYTES), error_class=failure.error_class)
    return RetryAt(
        delay_seconds=retry.delay_seconds(
            attempt.number, policy, jitter=jitter, at_least=failure.retry_after_seconds
        ),
        error=failure.error,
        error_class=failure.error_class,
        streak=streak,
    )


def snooze(*, times: int, at_most: int, delay_seconds: float, reason: str) -> Snooze | SystemFailed:
    """Put off a run that may not be sent now, unless it was put off too often (behaviour 3.1).

    `times` is how often that has happened since the run last reached its endpoint.
    """
    if times >= at_most:
        return SystemFailed(error=f"max snooze count ({at_most}) exceeded: {reason}")
    return Snooze(delay_seconds=delay_seconds, reason=reason)


def snooze_seconds(attempt: int, *, jitter: float) -> float:
    """How long to put off a run when nobody can say until when: as after a failure."""
    return retry.delay_seconds(attempt, _SNOOZING, jitter=jitter)


def _end(failure: Failure) -> GiveUp | TimedOut | Crashed:
    match failure.cause:
        case Cause.ERROR:
            return GiveUp(error=failure.error, error_class=failure.error_class)
        case Cause.DEADLINE:
            return TimedOut(error=failure.error, error_class=failure.error_class)
        case Cause.LOST:
            return Crashed(error=failure.error, error_class=failure.error_class)
