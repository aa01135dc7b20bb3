"""A second endpoint, when the first is unwell (behaviour 3.5)."""

from typing import Final

from msgspec.structs import replace

from strait_server.work.dispatch.model import Failure
from strait_server.work.dispatch.rules.classify import ENDPOINT_AT_FAULT
from strait_server.work.dispatch.rules.error_text import MAX_BYTES, cut

_LEAST_SECONDS: Final = 30.0


def may_help(primary: Failure) -> bool:
    """Say whether another endpoint could do better with the same request."""
    return primary.error_class in ENDPOINT_AT_FAULT


def seconds_left(timeout: float, spent: float) -> float:
    """How long the fallback may take: what the primary left, but never next to nothing (T32).

    It is promised 30 seconds, or the whole timeout if that is shorter, so a
    primary that hangs until its deadline does not take the fallback along.
    """
    return max(timeout - spent, min(timeout, _LEAST_SECONDS))


def both_failed(primary: Failure, fallback: Failure) -> Failure:
    """Join two failures into one of the primary's class and cause (T32)."""
    first = cut(f"primary dispatch failed: {primary.error}", MAX_BYTES // 2 - 2)
    second = cut(f"fallback dispatch failed: {fallback.error}", MAX_BYTES // 2)
    return replace(primary, error=f"{first}; {second}")
