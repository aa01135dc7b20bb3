"""Headers that every answer carries, and what other origins may read (behaviour 13.10)."""

from collections.abc import Sequence
from typing import Final

from strait_server.base.http.exchange import Answer, Exchange, Headers

POLICY: Final = b"content-security-policy"

_ALWAYS: Final = (
    (b"x-api-version", b"v1"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-xss-protection", b"0"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
    (b"x-permitted-cross-domain-policies", b"none"),
)
_NO_CONTENT: Final = (POLICY, b"default-src 'none'")
_SECURE: Final = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
_METHODS: Final = b"GET, POST, PUT, PATCH, DELETE, OPTIONS"
_ALLOWED: Final = (
    b"Accept, Authorization, Content-Type, X-Internal-Secret, X-Idempotency-Key, "
    b"Idempotency-Key, X-Project-Id, X-Request-Id"
)
_EXPOSED: Final = b"Link, X-Request-Id, X-API-Version"
_MAX_AGE: Final = b"300"


class Cors:
    """Which pages of other origins may call, and read what they get."""

    def __init__(self, origins: Sequence[str], *, credentials: bool) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)
        self._credentials = credentials
        self._open: Headers = [
            (b"access-control-allow-origin", b"*"),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    def headers(self, origin: bytes) -> Headers:
        """Allow the page to read the answer, if it is one of the allowed."""
        if b"*" in self._origins:
            return self._open
        vary = (b"vary", b"Origin")
        if origin not in self._origins:
            return [vary]
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
            *([(b"access-control-allow-credentials", b"true")] if self._credentials else []),
            vary,
        ]

    def preflight(self) -> Answer:
        """Answer the question a browser asks before the request."""
        return Answer(
            204,
            [
                (b"access-control-allow-methods", _METHODS),
                (b"access-control-allow-headers", _ALLOWED),
                (b"access-control-max-age", _MAX_AGE),
            ],
            b"",
        )


def complete(given: Headers, exchange: Exchange, *, now: float) -> Headers:
    """Add to the headers of an answer what belongs into each."""
    headers = [*given, *_ALWAYS, (b"x-request-id", exchange.request_id.encode("latin-1"))]
    if not any(name == POLICY for name, _ in given):
        headers.append(_NO_CONTENT)
    if exchange.secure:
        headers.append(_SECURE)
    if (standing := exchange.standing) is not None:
        headers += (
            (b"x-ratelimit-limit", b"%d" % standing.limit),
            (b"x-ratelimit-remaining", b"%d" % max(0, standing.remaining)),
            (b"x-ratelimit-reset", b"%d" % (now + standing.resets_in)),
        )
    headers += exchange.extra
    return headers
