"""How long a run waits before it is tried again (behaviour 4.1)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from strait_server.work.dispatch.model import RetryPolicy
from strait_server.work.queue.model import RetryStrategy

MAX_JITTER: Final = 0.2

_BASE_SECONDS: Final = 1.0
_FLOOR_SECONDS: Final = 0.8


def delay_seconds(
    attempt: int, policy: RetryPolicy, *, jitter: float, at_least: float = 0.0
) -> float:
    """How long to wait after the attempt of this number failed.

    `jitter` is a share of the delay, from -0.2 to 0.2: the caller rolls the dice.
    `at_least` is what the endpoint asked for. Neither passes the cap (T31).
    """
    jittered = max(nominal_seconds(attempt, policy) * (1.0 + jitter), _FLOOR_SECONDS)
    return min(max(jittered, at_least), policy.max_seconds)


def nominal_seconds(attempt: int, policy: RetryPolicy) -> float:
    """Compute the delay before jitter: at least a second, at most the cap."""
    match policy.strategy:
        case RetryStrategy.CUSTOM if policy.delays:
            seconds = policy.delays[min(attempt, len(policy.delays)) - 1]
        case RetryStrategy.LINEAR:
            seconds = policy.initial_seconds * attempt
        case RetryStrategy.FIXED:
            seconds = policy.initial_seconds
        case RetryStrategy.EXPONENTIAL | RetryStrategy.CUSTOM:
            doublings = min(attempt - 1, 1000)  # 2.0**1024 is past what a float can hold
            seconds = policy.initial_seconds * 2.0**doublings
    return min(max(seconds, _BASE_SECONDS), policy.max_seconds)


def retry_after_seconds(header: str, *, now: datetime) -> float:
    """Read a `Retry-After` header, in seconds or as a date; 0 when it makes no sense."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if at.tzinfo is None:  # an HTTP date is in GMT, also when it says -0000
        at = at.replace(tzinfo=UTC)
    return max((at - now).total_seconds(), 0.0)
