"""Ids, and the only place that rolls dice."""

import random
import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

import uuid_utils

_VERSION_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_dice = random.SystemRandom()


def new_id() -> UUID:
    """Make a UUIDv7: ids made later sort later, to the millisecond."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def as_id(text: str) -> UUID | None:
    """Read an id. None: the text is none, but perhaps a name."""
    try:
        return UUID(text)
    except ValueError:
        return None


def floor_id(at: datetime) -> UUID:
    """Return the lowest UUIDv7 of the millisecond of `at`: a bound for ranges of ids."""
    return UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))


def token_hex(size: int) -> str:
    """`size` unguessable bytes as lower-case hex."""
    return secrets.token_hex(size)


def version_id() -> str:
    """`ver_` and twelve characters (behaviour 0.2)."""
    return "ver_" + "".join(secrets.choice(_VERSION_ALPHABET) for _ in range(12))


def uniform(low: float, high: float) -> float:
    """Roll a number between `low` and `high`, both included."""
    return _dice.uniform(low, high)
