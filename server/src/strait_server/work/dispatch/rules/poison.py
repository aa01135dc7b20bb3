"""Errors that repeat themselves (behaviour 4.5).

A run that fails the same way every time poisons the queue; giving it up early
saves the attempts it has left.
"""

from hashlib import sha256
from typing import Final

from strait_server.work.dispatch.model import Streak

_READ_CHARACTERS: Final = 200
_HASH_CHARACTERS: Final = 16


def error_hash(error: str) -> str:
    """Eight bytes, as hex, that stand for the start of an error text.

    The start is counted in characters, not bytes, so that no character is cut (T39d).
    """
    start = error[:_READ_CHARACTERS].encode(errors="replace")
    return sha256(start).hexdigest()[:_HASH_CHARACTERS]


def continued(streak: Streak | None, error: str) -> Streak:
    """Count one more of the same error, or start anew with another one."""
    here = error_hash(error)
    if streak is not None and streak.error_hash == here:
        return Streak(here, streak.count + 1)
    return Streak(here, 1)
