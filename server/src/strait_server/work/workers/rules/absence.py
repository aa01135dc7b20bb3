"""For how long workers are known to be away, and when that is too long (behaviour 4.6, 8.4).

Whoever comes back gives a sign of life, so a worker that is seen away twice
without one was away in between.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from strait_server.work.workers.model import Absent

_SURE_AFTER: Final = 1.0


class Away(NamedTuple):
    """Seconds: `here` in the session of who looks, `up` while PostgreSQL was up, in all."""

    here: float = 0.0
    up: float = 0.0


def after_look(
    away: Mapping[Absent, Away],
    absent: Iterable[Absent],
    *,
    passed: float,
    uptime: float,
    same_session: bool,
) -> dict[Absent, Away]:
    """Count what has `passed` since the last look, for those who are still absent.

    In another session, only what PostgreSQL has been up is sure, and only when
    it tells that it has started meanwhile.
    """
    up = passed if same_session else uptime if uptime < passed else 0.0
    return {
        one: Away((away[one].here + passed) if same_session else 0.0, away[one].up + up)
        if one in away
        else Away()
        for one in absent
    }


def is_gone(away: Away, *, uptime: float, return_within: float) -> bool:
    """Whether a worker would be back if it lived.

    One that lost its connection has another within a second. When PostgreSQL has
    started lately, all of them come back at once, some after an attempt that hung.
    """
    if uptime >= return_within:
        return away.here >= _SURE_AFTER
    return away.up >= return_within
