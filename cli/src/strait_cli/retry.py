"""Whether and when to try again (cli 5). Time and chance are arguments."""

from datetime import datetime
from typing import Final

TRIES: Final = 3
# Longer than this nobody watches a prompt: say when to come back instead.
PATIENCE: Final = 60.0

_SAFE: Final = frozenset({"GET", "HEAD"})
_TOO_MANY: Final = 429
_SERVER_FAULT: Final = 500


def is_safe(method: str) -> bool:
    return method in _SAFE


def after_answer(
    status: int, *, attempt: int, repeatable: bool, retry_after: float | None, jitter: float
) -> float | None:
    """Seconds until the next try, or None: this answer is final.

    `repeatable` means that a second arrival changes nothing: a safe method, or
    an idempotency key. `jitter` is between 0 and 1; a quarter of the delay at most.
    """
    refused = status == _TOO_MANY or status >= _SERVER_FAULT
    if not refused or not repeatable or attempt >= TRIES:
        return None
    if retry_after is None:
        return _backoff(attempt, jitter)
    return retry_after if retry_after <= PATIENCE else None


def after_silence(*, attempt: int, safe: bool, jitter: float) -> float | None:
    """Seconds until the next try after a lost connection, or None: give up.

    Only safe methods: nobody knows whether the lost request arrived.
    """
    return _backoff(attempt, jitter) if safe and attempt < TRIES else None


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Read the header in either form, seconds or an HTTP date."""
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _backoff(attempt: int, jitter: float) -> float:
    seconds = 2.0 ** (attempt - 1)
    return seconds * (1 + 0.25 * jitter)
