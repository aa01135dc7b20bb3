"""The socket's side of HTTP: uvicorn, corked.

uvicorn writes the head of an answer and its body one after the other, each
with a system call of its own. A corked transport collects what is written
within one turn of the event loop and sends it at once: a quarter of the CPU of
a trigger was in that second write.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from strait_server.base.http.exchange import App

_BACKLOG: Final = 2048
_GRACE_SECONDS: Final = 10
_KEEP_ALIVE_SECONDS: Final = 75


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
    """uvicorn's HTTP/1.1 on a corked transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(CorkedTransport(transport, self.loop))


class _Server(uvicorn.Server):
    """uvicorn without its own ideas about signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def open_door(app: App, listening: socket.socket) -> AsyncIterator[None]:
    """Answer HTTP on the socket as long as the block lasts; on leaving, finish what was begun."""
    config = uvicorn.Config(
        cast("Any", app),
        loop="none",
        http=CorkedProtocol,
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
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
