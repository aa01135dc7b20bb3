"""One connection to an endpoint, and the one exchange that happens on it."""

import asyncio
import socket
from typing import Final, cast

from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpResponseParser,
)

from strait_server.base import clock
from strait_server.base.outbound.outbox import Outbox
from strait_server.base.outbound.outcome import (
    Kind,
    OutboundError,
    Response,
    Timing,
    milliseconds,
)

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADERS: Final = 256

_PROBES: Final = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_INTERIM: Final = range(100, 200)
_TOO_MANY_HEADERS: Final = "answered with too many headers"
_NO_HTTP: Final = "did not answer in HTTP"


class _Fault(Exception):
    """Stops the parser from within one of its callbacks."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class Connection(asyncio.Protocol):
    """A connection that carries one exchange at a time.

    It holds at most the body the caller asked for and one head. Bytes that
    nobody waits for, before a request or behind an answer, end it: the next
    answer could no longer be told from them. Its own methods never raise for
    what the peer does; the future of `send` carries the outcome.
    """

    def __init__(self, peer: str, outbox: Outbox) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done as soon as the connection is gone."""
        self.used_at = 0.0
        """When the last exchange ended, on the monotonic clock."""
        self._peer = peer
        self._outbox = outbox
        self._parser = HttpResponseParser(self)
        self._waiter: asyncio.Future[Response] | None = None
        self._transport: asyncio.Transport
        self._max_body_bytes = 0
        self._sent_at = 0.0
        self._dial_seconds = 0.0
        self._spoke_unasked = False
        self._keep_alive = True
        self._forget()

    def _forget(self) -> None:
        """Make room for the next answer."""
        self._complete = False
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._received_bytes = 0
        self._body = bytearray()
        self._unproductive_bytes = 0
        self._first_at = 0.0

    @property
    def reusable(self) -> bool:
        """May carry a further exchange."""
        return self._keep_alive and not self._transport.is_closing()

    @property
    def answered(self) -> bool:
        """A first byte has come back for the last request."""
        return self._first_at > 0.0

    def dialled(self, seconds: float) -> None:
        """Remember how long it took to connect; the first exchange reports it."""
        self._dial_seconds = seconds

    def send(self, message: bytes, *, max_body_bytes: int) -> asyncio.Future[Response]:
        """Send a request. The future gives a `Response` or raises `OutboundError`."""
        waiter = asyncio.get_running_loop().create_future()
        self._forget()
        self._max_body_bytes = max_body_bytes
        self._sent_at = clock.monotonic()
        self._waiter = waiter
        if self._spoke_unasked:
            self._fail(Kind.PROTOCOL, "spoke before it was asked")
        elif self._transport.is_closing():
            self._fail(Kind.CONNECTION, "closed the connection without an answer")
        else:
            self._outbox.put(self._transport, message)
        return waiter

    def expire(self, seconds: float) -> None:
        """Give up: the time of the exchange is over."""
        part = "a complete" if self.answered else "any"
        self._fail(Kind.TIMEOUT, f"did not give {part} answer within {seconds:g} s")

    def abort(self) -> None:
        """Hang up at once. An exchange under way ends as a connection error."""
        if self._waiter is not None:
            self._fail(Kind.CONNECTION, "was hung up on")
        self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        _probe(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self._spoke_unasked = True
            self._transport.abort()
            return
        first = not self.answered
        if first:
            self._first_at = clock.monotonic()
        held = len(self._body)
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._give_up(error)
            return
        if self._complete:
            self._deliver(self._first_at if first else clock.monotonic())
        elif len(self._body) > held:
            self._unproductive_bytes = 0
        else:
            self._count_unproductive(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiter is not None:
            self._keep_alive = False
            if exc is None and self._ends_with_connection():
                self._deliver(clock.monotonic())
            elif self.answered:
                self._fail(Kind.CONNECTION, "closed the connection in the middle of its answer")
            else:
                self._fail(Kind.CONNECTION, "closed the connection without an answer")
        del self._parser  # it holds our callbacks: we were a circle
        self.lost.set_result(None)

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._complete:
            raise _Fault(Kind.PROTOCOL, "sent more than its answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._status:  # else it is a trailer, and we asked for none
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if len(self._headers) > MAX_HEADERS or self._has_large_head():
            raise _Fault(Kind.TOO_LARGE, _TOO_MANY_HEADERS)

    def on_body(self, chunk: bytes) -> None:
        room = self._max_body_bytes - len(self._body)
        if len(chunk) > room:
            self._body += chunk[:room]
            text = f"answered with a body of more than {self._max_body_bytes} bytes"
            raise _Fault(Kind.TOO_LARGE, text)
        self._body += chunk

    def on_message_complete(self) -> None:
        if self._status in _INTERIM:
            self._status = 0
            self._headers = []
        elif self._status < _INTERIM.start:
            raise _Fault(Kind.PROTOCOL, _NO_HTTP)
        else:
            self._keep_alive = self._parser.should_keep_alive()
            self._complete = True

    # What becomes of an exchange.

    def _ends_with_connection(self) -> bool:
        """Say whether the end of the connection is the end of the body (RFC 9112, 6.3)."""
        return self._status > 0 and not any(name.lower() in _FRAMING for name, _ in self._headers)

    def _has_large_head(self) -> bool:
        return self._received_bytes > MAX_HEAD_BYTES and (
            sum(len(name) + len(value) for name, value in self._headers) > MAX_HEAD_BYTES
        )

    def _count_unproductive(self, size: int) -> None:
        """Bound heads, trailers, chunk extensions and interim answers that never end.

        The parser keeps an unfinished header to itself, so its callbacks are
        too late to count it.
        """
        self._unproductive_bytes += size
        if self._unproductive_bytes > MAX_HEAD_BYTES:
            self._fail(Kind.TOO_LARGE, _TOO_MANY_HEADERS)

    def _give_up(self, error: Exception) -> None:
        if self._complete:  # only what came behind the answer is bad
            self._keep_alive = False
            self._deliver(clock.monotonic())
            return
        fault = error.__context__
        if isinstance(fault, _Fault):
            self._fail(fault.kind, fault.text)
        elif isinstance(error, HttpParserCallbackError):
            raise error  # a bug of ours
        else:
            self._fail(Kind.PROTOCOL, _NO_HTTP)

    def _deliver(self, ended: float) -> None:
        response = self._response(ended)
        waiter, self._waiter = self._waiter, None
        self.used_at = ended
        self._dial_seconds = 0.0
        # An endpoint that answers before it has read everything would take
        # the rest of this request for the next one.
        if not self._keep_alive or self._transport.get_write_buffer_size() > 0:
            self._keep_alive = False
            self._transport.abort()
        if waiter is not None and not waiter.done():
            waiter.set_result(response)

    def _fail(self, kind: Kind, text: str) -> None:
        response = self._response(clock.monotonic())
        waiter, self._waiter = self._waiter, None
        self._keep_alive = False
        self._transport.abort()
        if waiter is None or waiter.done():
            return
        waiter.set_exception(
            OutboundError(
                kind,
                f"{self._peer} {text}",
                timing=response.timing,
                response=response if kind is Kind.TOO_LARGE and response.status else None,
            )
        )

    def _response(self, ended: float) -> Response:
        first_at = self._first_at
        return Response(
            status=self._status,
            headers=self._headers,
            body=bytes(self._body),
            timing=Timing(
                connect_ms=milliseconds(self._dial_seconds),
                ttfb_ms=milliseconds(first_at - self._sent_at) if first_at else 0,
                transfer_ms=milliseconds(ended - first_at) if first_at else 0,
            ),
        )


def _probe(connected: socket.socket) -> None:
    """Let the kernel notice a peer that vanished while a long job runs (T24)."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):  # each system knows some of them
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
