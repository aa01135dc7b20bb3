"""What must hold between settings that are right one by one (behaviour 17.1)."""

import operator
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from strait_server.base.settings.values import show


class _Relation(NamedTuple):
    """Two settings, the question whether they go together, and what to do if not."""

    one: str
    other: str
    holds: Callable[[Any, Any], bool]
    fix: str


def _spans_three(stale: timedelta, heartbeat: timedelta) -> bool:
    return stale >= 3 * heartbeat


def _are_safe_for(origins: tuple[str, ...], credentials: bool) -> bool:  # noqa: FBT001 - a setting
    return not (credentials and "*" in origins)


_RELATIONS: Final = (
    _Relation(
        "stale_threshold",
        "heartbeat_interval",
        _spans_three,
        "STALE_THRESHOLD must be at least three times HEARTBEAT_INTERVAL",
    ),
    _Relation(
        "adaptive_concurrency_min",
        "adaptive_concurrency_max",
        operator.le,
        "ADAPTIVE_CONCURRENCY_MIN must not exceed ADAPTIVE_CONCURRENCY_MAX",
    ),
    _Relation(
        "db_min_conns",
        "db_max_conns",
        operator.le,
        "DB_MIN_CONNS must not exceed DB_MAX_CONNS",
    ),
    _Relation(
        "cors_allowed_origins",
        "cors_allow_credentials",
        _are_safe_for,
        "CORS_ALLOWED_ORIGINS must name the origins if CORS_ALLOW_CREDENTIALS is true",
    ),
)


def check(values: Mapping[str, object]) -> list[str]:
    """Find the pairs that do not go together, among those that could be read."""
    return [
        f"{it.fix}; they are {show(values[it.one])} and {show(values[it.other])}"
        for it in _RELATIONS
        if it.one in values and it.other in values
        if not it.holds(values[it.one], values[it.other])
    ]
