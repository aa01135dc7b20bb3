"""API keys, which are shown once and kept as a hash (behaviour 0.2, 13.3)."""

import hashlib
import hmac
import re
from typing import Final

from strait_server.base.ids import token_hex

MARK: Final = "strait_"
_FORM: Final = re.compile(rf"{MARK}[0-9a-f]{{64}}")
_SHOWN: Final = 12


def new() -> str:
    return MARK + token_hex(32)


def is_key(text: str) -> bool:
    """Whether it has the form of a key; not whether the key exists."""
    return _FORM.fullmatch(text) is not None


def hashed(key: str) -> str:
    """Hash as the database keeps it: lower-case hex SHA-256 of the whole key.

    The key is 32 random bytes, so there is nothing for a slow hash to slow down.
    """
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def prefix(key: str) -> str:
    """Cut off the beginning, by which people recognise the key."""
    return key[:_SHOWN]


def is_same(given: str, secret: str) -> bool:
    """Compare a given secret with ours in constant time. An empty one of ours fits nobody."""
    ours = secret.encode(errors="surrogatepass")
    return hmac.compare_digest(given.encode(errors="surrogatepass"), ours) and bool(ours)
