"""The socket's side of HTTP: uvicorn, corked.

uvicorn writes the head of an answer and its body one after the other, each
with a system call of its own. A corked transport collects what is written
within one turn of the event loop and sends it at once: a quarter of the CPU of
a trigger was in that second write.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from strait_server.base.clock import unix
from strait_server.base.errors import Invalid
from strait_server.base.http import headers
from strait_server.base.http.exchange import App, Exchange
from strait_server.base.http.problems import render
from strait_server.base.ids import new_id

_BACKLOG: Final = 2048
_GRACE_SECONDS: Final = 10
_KEEP_ALIVE_SECONDS: Final = 75
_HEAD_SECONDS: Final = 10.0
_MOST_HEAD_BYTES: Final = 65_536
_LINGER_SECONDS: Final = 0.5


class CorkedTransport(asyncio.Transport):
    """A transport that writes once per turn of the loop, and is otherwise the one it wraps."""

    __slots__ = ("_inner", "_loop", "_pending")

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop
        self._pending: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._pending:
            self._loop.call_soon(self._uncork)
        self._pending.append(bytes(data))

    def close(self) -> None:
        self._uncork()
        self._inner.close()

    def _uncork(self) -> None:
        pending, self._pending = self._pending, []
        if pending:
            self._inner.write(pending[0] if len(pending) == 1 else b"".join(pending))

    def abort(self) -> None:
        self._pending.clear()
        self._inner.abort()

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._inner.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._inner.get_protocol()


class CorkedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 on a corked transport, with bounds on what has not become a request.

    Once its head is complete, a request is the edge's business. Before that, it
    may not be large, it may not take long, and what is wrong with it is said in
    the envelope of all errors.
    """

    def __init__(self, *given: Any, head_seconds: float, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head_seconds = head_seconds
        self._in_head = False
        self._head_size = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(CorkedTransport(transport, self.loop))
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on. What began before this piece, and is no head after it, counts and takes time."""
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_size > _MOST_HEAD_BYTES:
            self.send_400_response("")
        elif self._head_timer is None and not self._is_answering:
            self._head_timer = self.loop.call_later(self._head_seconds, self._give_up)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_size = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_size = sum(len(name) + len(value) for name, value in self.headers)
        if self._head_size > _MOST_HEAD_BYTES:
            raise ValueError  # the parser passes it on, and then asks for the answer below
        self._in_head = False
        self._stop_head_timer()
        super().on_headers_complete()
        if self._ending:
            self._last_answer()

    def shutdown(self) -> None:
        """Take no request after the one that is being answered, or that comes at this moment.

        To hang up at once would reset a request that is on its way.
        """
        self._ending = True
        if self._is_answering:
            self._last_answer()
        else:
            self.loop.call_later(_LINGER_SECONDS, self._leave)

    def _last_answer(self) -> None:
        self.cycle.keep_alive = False

    def _leave(self) -> None:
        if not (self._is_answering or self.transport.is_closing()):
            self.transport.close()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - we have words of our own
        if self._in_head and self._head_size > _MOST_HEAD_BYTES:
            self._refuse(431, f"request head too large: at most {_MOST_HEAD_BYTES} bytes")
        else:
            self._refuse(400, "malformed HTTP request")

    @property
    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _give_up(self) -> None:
        """Hang up on somebody who does not come to the end of a head."""
        self._head_timer = None
        if self._in_head:
            self._refuse(408, f"request head took more than {self._head_seconds:g} seconds")
        elif not self.transport.is_closing():
            self.transport.close()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: int, message: str) -> None:
        """Answer what has not become a request, and hang up."""
        exchange = Exchange(request_id=str(new_id()), address="", secure=False, headers={})
        answer = render(Invalid(message), exchange.request_id)
        lines = headers.complete(answer.headers, exchange, now=unix())
        lines += (b"connection", b"close"), (b"content-length", b"%d" % len(answer.body))
        head = b"".join(b"%b: %b\r\n" % line for line in lines)
        phrase = HTTPStatus(status).phrase.encode()
        self.transport.write(b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, phrase, head, answer.body))
        self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn without its own ideas about signals."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def open_door(
    app: App, listening: socket.socket, *, head_seconds: float = _HEAD_SECONDS
) -> AsyncGenerator[None]:
    """Answer HTTP on the socket as long as the block lasts; on leaving, finish what was begun."""
    config = uvicorn.Config(
        cast("Any", app),
        loop="none",
        http=cast("Any", partial(CorkedProtocol, head_seconds=head_seconds)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    listening.listen(_BACKLOG)  # whoever comes before the server's first turn waits for it
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
