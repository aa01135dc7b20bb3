"""Who may hand scopes on, and how long a replaced key works (behaviour 13.2, 13.3)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from strait_server.base.errors import Forbidden, Invalid
from strait_server.tenancy.access.model import EVERYTHING, SCOPES, Actor

DEFAULT_GRACE: Final = timedelta(minutes=60)
MAX_GRACE: Final = timedelta(minutes=10_080)


def granted(actor: Actor, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Decide what a new key holds: never more than its maker (T109).

    Nothing said means everything, and is written down as that; an empty list
    would be a key that opens nothing (T108).
    """
    if wanted is None:
        wanted = (EVERYTHING,)
    if not wanted:
        raise Invalid("scopes must not be empty", problems=["scopes: failed on 'min=1'"])
    if unknown := sorted(set(wanted) - SCOPES):
        problems = [f"scopes: there is no {scope!r}" for scope in unknown]
        raise Invalid(f"unknown scope: {unknown[0]}", problems=problems)
    check_covers(actor, wanted)
    return tuple(dict.fromkeys(wanted))


def check_covers(actor: Actor, scopes: Sequence[str]) -> None:
    """Raise `Forbidden` unless the actor holds all of the scopes."""
    if missing := [scope for scope in scopes if not actor.may(scope)]:
        raise Forbidden(f"insufficient permissions: requires {missing[0]}")


def check_grace(wanted: timedelta | None) -> timedelta:
    """Decide how long a replaced key works on: an hour unless said, a week at most."""
    if wanted is None:
        return DEFAULT_GRACE
    if wanted > MAX_GRACE:
        raise Invalid("grace_period_minutes must be at most 10080")
    return wanted
