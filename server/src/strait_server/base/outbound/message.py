"""Writing a request, and never anything but one request (header injection)."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NewType, TypeAlias

from strait_server.base.outbound.outcome import Kind, OutboundError
from strait_server.base.outbound.urls import Target

OWN_HEADERS: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say where a message ends or what becomes of the connection: ours to send."""

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS: Final = bytes({*range(32), 127} - {ord("\t")})
_LINE_END: Final = b"\r\n"

Headers: TypeAlias = Sequence[tuple[str | bytes, str | bytes]]
Lines = NewType("Lines", bytes)
"""Header lines as they are sent, harmless: made by `lines`, or of values that cannot break one."""

NO_LINES: Final = Lines(b"")


def lines(headers: Headers) -> Lines:
    """Write header lines. Raises `OutboundError` when one is not allowed."""
    parts: list[bytes] = []
    for name, value in headers:
        parts += (_name(name), value if isinstance(value, bytes) else _text(value), _LINE_END)
    written = b"".join(parts)
    # One look at all of them instead of one at each value: there must be no
    # control character besides the ends of the lines we wrote.
    controls = len(written) - len(written.translate(None, _CONTROLS))
    if controls != len(_LINE_END) * len(headers):
        raise OutboundError(Kind.REFUSED, "a header value holds a control character")
    return Lines(written)


def encode(
    method: str, target: Target, headers: Headers, body: bytes, *, prepared: Lines = NO_LINES
) -> bytes:
    """Write a whole request, with `prepared` before the other headers.

    Raises `OutboundError` when the method or a header is not allowed.
    """
    length = b"Content-Length: %d\r\n" % len(body)
    others = lines(headers) if headers else NO_LINES
    return b"".join((_method(method), target.head, length, prepared, others, _LINE_END, body))


@lru_cache(maxsize=1024)
def _method(method: str) -> bytes:
    # The answer to these is framed by other rules, which we do not speak.
    if method in {"HEAD", "CONNECT"} or not _TOKEN.fullmatch(method):
        raise OutboundError(Kind.REFUSED, "the method is not allowed")
    return method.encode("ascii")


@lru_cache(maxsize=4096)
def _name(name: str | bytes) -> bytes:
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    if not _TOKEN.fullmatch(text):
        raise OutboundError(Kind.REFUSED, "a header name holds a character that is not allowed")
    if text.lower() in OWN_HEADERS:
        raise OutboundError(Kind.REFUSED, f"header {text} cannot be set")
    return b"%b: " % text.encode("ascii")


def _text(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise OutboundError(Kind.REFUSED, "a header value is not valid text") from None
