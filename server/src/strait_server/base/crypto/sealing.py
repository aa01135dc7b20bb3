"""Secrets at rest: AES-256-GCM, one scheme for every table (behaviour 13.8, T113).

A sealed text reads `k1.<key id>.<base64 of nonce and ciphertext>`. The key id
says which key opens it, so keys can be changed without guessing: new seals
use the first key, old ones still open with the key that made them, and who
reads one that `needs_rotation` writes it back under the new key.

The place of a secret, `table|row id|column`, is sealed with it: a ciphertext
that is copied to another row does not open there.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strait_server.base.errors import StraitError, Unavailable
from strait_server.base.ids import token_hex

_VERSION: Final = "k1"
_NONCE_BYTES: Final = 12


class SealBroken(StraitError):
    """A stored secret does not open: its key is gone, or it was moved or changed."""

    code = "seal_broken"


class Sealer:
    """Seals with one key, and opens what it or a former key has sealed. No key: it refuses."""

    def __init__(self, key: bytes | None, *, former: Sequence[bytes] = ()) -> None:
        self._cipher_by_id = {_key_id(each): AESGCM(each) for each in (key, *former) if each}
        self.key_id = _key_id(key) if key else None

    def seal(self, secret: str, *, table: str, row_id: object, column: str) -> str:
        """Encrypt for one place. Raises `Unavailable` if no key is configured."""
        if self.key_id is None:
            raise Unavailable("secrets cannot be stored: no encryption key is configured")
        nonce = bytes.fromhex(token_hex(_NONCE_BYTES))
        place = _place(table, row_id, column)
        sealed = nonce + self._cipher_by_id[self.key_id].encrypt(nonce, secret.encode(), place)
        return f"{_VERSION}.{self.key_id}.{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, *, table: str, row_id: object, column: str) -> str:
        """Decrypt what was sealed for this place, or raise `SealBroken`."""
        version, _, rest = sealed.partition(".")
        key_id, _, content = rest.partition(".")
        cipher = self._cipher_by_id.get(key_id)
        if version != _VERSION:
            raise SealBroken("a stored secret has an unknown form")
        if cipher is None:
            raise SealBroken(f"a stored secret needs the encryption key {key_id[:8]}")
        try:
            packed = base64.b64decode(content, validate=True)
            nonce, text = packed[:_NONCE_BYTES], packed[_NONCE_BYTES:]
            return cipher.decrypt(nonce, text, _place(table, row_id, column)).decode()
        except (binascii.Error, ValueError, InvalidTag):
            # The cause stays out: a traceback must not carry what was decoded.
            raise SealBroken("a stored secret does not open in its place") from None

    def needs_rotation(self, sealed: str) -> bool:
        """Whether it was sealed with a former key, and should be sealed anew."""
        return self.key_id is not None and not sealed.startswith(f"{_VERSION}.{self.key_id}.")


def _key_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]


def _place(table: str, row_id: object, column: str) -> bytes:
    return f"{table}|{row_id}|{column}".encode()
