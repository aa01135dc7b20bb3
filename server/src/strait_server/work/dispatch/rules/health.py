"""How well an endpoint does, from 0 to 100 (behaviour 11.1).

Success, failure and speed are each averaged with the same weight for the
newest, so the weighted sum of the averages is the average of the weighted
sums: the score needs nothing beside itself to be remembered.
"""

from datetime import datetime, timedelta
from math import ceil
from typing import Final

from strait_server.work.dispatch.model import Allow, Gate, Level, Probe, Wait

PERFECT: Final = 100.0
PROBE_EVERY: Final = timedelta(minutes=1)

NEWEST: Final = 0.1
"""How much of the score the newest run is."""
_SUCCEEDED: Final = 80.0  # half for success, three tenths for no failure
_SPEED: Final = 20.0
_HEALTHY: Final = 60.0
_DEGRADED: Final = 30.0


def after_success(score: float, *, seconds: float, timeout: float) -> float:
    """Move the score by a success that took some of its timeout; 0 means it had none."""
    spared = 1.0 - min(1.0, max(0.0, seconds / timeout)) if timeout > 0 else 1.0
    return _moved(score, _SUCCEEDED + _SPEED * spared)


def after_failure(score: float) -> float:
    return _moved(score, 0.0)


def level(score: float) -> Level:
    if score > _HEALTHY:
        return Level.HEALTHY
    return Level.DEGRADED if score >= _DEGRADED else Level.UNHEALTHY


def admit(score: float, *, probe_until: datetime | None, now: datetime) -> Gate:
    """Decide whether a run may be sent.

    An unhealthy endpoint gets one probe a minute, or it could never recover.
    """
    if level(score) is not Level.UNHEALTHY:
        return Allow()
    if probe_until is not None and now < probe_until:
        return Wait(probe_until)
    return Probe(now + PROBE_EVERY)


def throttled(max_concurrency: int, score: float) -> int:
    """How many runs may be under way at once; 0 is unlimited and stays it.

    While degraded, from a quarter of the maximum at 30 to all of it at 60.
    """
    if max_concurrency <= 0 or score > _HEALTHY:
        return max_concurrency
    return max(1, ceil(max_concurrency * (score - 20.0) / 40.0))


def _moved(score: float, newest: float) -> float:
    return min(max(NEWEST * newest + (1.0 - NEWEST) * score, 0.0), PERFECT)
