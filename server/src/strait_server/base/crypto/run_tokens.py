"""Run tokens: what job code shows to speak for its run (behaviour 13.4, api 2.6).

A token is a JWT, but only ever one of ours, so there is one way to write it:
a fixed header that says HS256, and claims under it. Whatever has another
header, an algorithm of its own choosing, a key id, or nothing, is not a token
of ours and is not even parsed (T107). Whether the run is still going, and on
this attempt, is for the run row to say.
"""

import hmac
import math
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections import OrderedDict
from typing import Final
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from msgspec import Struct

from strait_server.base.errors import Unauthorized

ISSUER: Final = "strait:run-token"

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class RunClaims(Struct, frozen=True, kw_only=True):
    """For which run a token speaks. `attempt` None: for the current one, whichever it is."""

    run_id: UUID
    project_id: str | None
    attempt: int | None
    expires_at: int


class _Payload(Struct, frozen=True, omit_defaults=True):
    exp: int
    iat: int
    iss: str
    sub: str = ""
    project_id: str | None = None
    attempt: int | None = None


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Payload).decode


def _base64url(text: bytes) -> bytes:
    """Encode as JWTs do: without padding (RFC 7515, 2)."""
    return b2a_base64(text, newline=False).translate(_URL_SAFE, b"=")


_HEADER: Final = _base64url(b'{"alg":"HS256","typ":"JWT"}') + b"."


class RunTokens:
    """Issues and verifies the tokens of one signing key.

    Job code shows the same token with every call, so those that were right are
    remembered: the most recent ones, until they expire.
    """

    def __init__(self, signing_key: str, *, remembered: int = 10_000) -> None:
        self._keyed = HMAC(signing_key.encode(), hashes.SHA256())
        self._remembered = remembered
        self._claims_by_token: OrderedDict[str, RunClaims] = OrderedDict()

    def issue(
        self, run_id: UUID, *, project_id: str, attempt: int | None, expires_at: float, now: float
    ) -> str:
        """Write a token; times in Unix seconds, the expiry rounded up to a whole one."""
        payload = _Payload(
            math.ceil(expires_at), int(now), ISSUER, str(run_id), project_id, attempt
        )
        signed = _HEADER + _base64url(_encode(payload))
        return (signed + b"." + self._signature(signed)).decode()

    def verify(self, token: str, *, now: float) -> RunClaims:
        """Read a token of ours that has not expired, or raise `Unauthorized`."""
        claims = self._claims_by_token.get(token)
        if claims is None:
            claims = self._read(token)
            self._claims_by_token[token] = claims
            if len(self._claims_by_token) > self._remembered:
                self._claims_by_token.popitem(last=False)
        else:
            self._claims_by_token.move_to_end(token)
        if now >= claims.expires_at:
            raise Unauthorized("invalid run token")
        return claims

    def _read(self, token: str) -> RunClaims:
        signed, _, signature = token.encode(errors="replace").rpartition(b".")
        if not (
            signed.startswith(_HEADER) and hmac.compare_digest(self._signature(signed), signature)
        ):
            raise Unauthorized("invalid run token")
        content = signed[len(_HEADER) :]
        try:
            payload = _decode(urlsafe_b64decode(content + b"=" * (-len(content) % 4)))
        except ValueError as error:
            raise Unauthorized("invalid run token") from error
        return _claims(payload)

    def _signature(self, signed: bytes) -> bytes:
        keyed = self._keyed.copy()  # hashing the key anew would cost as much as the token
        keyed.update(signed)
        return _base64url(keyed.finalize())


def _claims(payload: _Payload) -> RunClaims:
    if payload.iss != ISSUER:
        raise Unauthorized("invalid run token")
    if not payload.sub:
        raise Unauthorized("missing run ID in token")
    try:
        run_id = UUID(payload.sub)
    except ValueError as error:
        raise Unauthorized("invalid run token") from error
    return RunClaims(
        run_id=run_id,
        project_id=payload.project_id,
        attempt=payload.attempt,
        expires_at=payload.exp,
    )
