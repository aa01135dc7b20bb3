"""How long an attempt may take, and everything that must outlive it (behaviour 3.1, 13.4)."""

from typing import Final

_SLOW_FACTOR: Final = 1.5
_MOST_FACTOR: Final = 2.0
_TOKEN_MARGIN: Final = 60.0


def attempt_seconds(
    timeout: float, *, overridden: bool, p95: float | None, token_life: float
) -> float:
    """How long the endpoint may take, at least its timeout.

    A job whose runs lately took longer gets half as much again as 95 of 100 of
    them took, but at most twice its timeout and never longer than its token
    lives (T38). A timeout that a run or step asked for itself is kept. `p95` is
    of the last 24 hours, None when there were no runs.
    """
    if overridden or p95 is None:
        return timeout
    return max(timeout, min(p95 * _SLOW_FACTOR, timeout * _MOST_FACTOR, token_life))


def token_seconds(timeout: float, *, expires_in: float | None) -> float:
    """How long a run token lives: a minute past the timeout, and as long as the run does."""
    return max(timeout + _TOKEN_MARGIN, expires_in or 0.0)
