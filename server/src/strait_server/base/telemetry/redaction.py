"""What must not be seen in a log, by the name of its key or by its look (behaviour 13.10, 15.3)."""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote_plus
from uuid import UUID

import msgspec

REDACTED: Final = "[REDACTED]"

_SECRET_KEY: Final = re.compile(
    "password|secret|token|dsn|key|authorization|credential|auth_config", re.IGNORECASE
)
_SECRET_PARAMETERS: Final = frozenset({"auth", "code", "state", "signature"})
_SECRET_TEXT: Final = re.compile(
    r"""(?:postgres(?:ql)?|rediss?)://[^\s"'<>]*   # where our data is
    |   [a-z][a-z0-9+.-]*://[^\s"'<>/@]*@          # any address with a user in it
    |   \bbearer\s+[\w.~+/=-]+
    |   strait_[a-z0-9]{20,}                       # an API key
    |   \beyJ[\w-]+\.[\w-]+\.[\w-]*                # a run token
    """,
    re.IGNORECASE | re.VERBOSE,
)
_MAX_DEPTH: Final = 8


def redact_fields(fields: Mapping[Any, object], *, depth: int = 0) -> dict[str, object]:
    """Copy a mapping without its secrets."""
    copy: dict[str, object] = {}
    for key, item in fields.items():
        name, is_secret = _judge(key if isinstance(key, str) else str(key))
        copy[name] = REDACTED if is_secret else redact(item, depth=depth)
    return copy


def redact(value: object, *, depth: int = 0) -> object:
    """Copy a value without its secrets, into what JSON can say."""
    copy: object = value
    match value:
        case str():
            copy = redact_text(value)
        case None | bool() | int() | float() | UUID() | date():
            pass
        case bytes() | bytearray() | memoryview():
            copy = f"<{len(value)} bytes>"
        case Mapping() | list() | tuple() | set() | frozenset() if depth == _MAX_DEPTH:
            copy = "…"
        case Mapping():
            copy = redact_fields(value, depth=depth + 1)
        case list() | tuple() | set() | frozenset():
            copy = [redact(item, depth=depth + 1) for item in value]
        case msgspec.Struct():
            copy = redact(msgspec.structs.asdict(value), depth=depth)
        case _:
            copy = redact_text(str(value))
    return copy


def redact_text(text: str) -> str:
    """Replace what looks like a secret, and leave the rest readable."""
    if not text.isascii():
        text = text.encode(errors="replace").decode()  # half a character cannot be written
    lower = text.lower()  # whatever the expression finds has one of these in it
    if "://" in lower or "bearer" in lower or "strait_" in lower or "eyj" in lower:
        return _SECRET_TEXT.sub(REDACTED, text)
    return text


def redact_query(query: str) -> str:
    """Replace secret values in the query of a URL."""
    parts = (part.partition("=") for part in query.split("&"))
    return "&".join(
        f"{name}={REDACTED}"
        if value and _is_secret_parameter(name)
        else redact_text(name + is_ + value)
        for name, is_, value in parts
    )


@lru_cache(maxsize=1024)
def _judge(key: str) -> tuple[str, bool]:
    """Spell a key, and say whether what stands under it is never shown."""
    return redact_text(key), _SECRET_KEY.search(key) is not None


def _is_secret_parameter(name: str) -> bool:
    plain = unquote_plus(name).lower()
    return plain in _SECRET_PARAMETERS or _judge(plain)[1]
