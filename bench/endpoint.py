"""What the runs are POSTed to: nginx where it is installed, else a small server of our own.

Both answer at once and count, so that the endpoint says how far any contender
has come. `InProcess` lives in the bench itself, for measurements that need to
see a request arrive.
"""

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast

import httptools
import uvloop

from bench.load import Wire, ask, get, wire
from bench.processes import ROOT, Program, ProgramFailed

ANSWER: Final = b'{"ok":true}'
_READY_SECONDS: Final = 10.0
_COUNT_PATH: Final = "/count"

_NGINX: Final = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 300s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = {count} {{ stub_status; }}
    location / {{ default_type application/json; return 200 '{answer}'; }}
  }}
}}
"""


class Endpoint:
    """A running endpoint of its own process."""

    def __init__(self, kind: str, port: int, program: Program) -> None:
        self.kind: Final = kind
        self.port: Final = port
        self.pid: Final = program.pid
        self._asked = 0
        self._wire: Wire | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def count(self) -> int:
        """How many requests have come, ours not counted."""
        self._asked += 1
        if self._wire is None:
            self._wire = await wire(self.port)
        answer = await self._wire.ask(get(_COUNT_PATH))
        if self.kind == "nginx":
            # Third line of stub_status: connections accepted, handled, requests.
            return int(answer.body.split(b"\n")[2].split()[2]) - self._asked
        return int(answer.body)


class InProcess(asyncio.Protocol):
    """One connection. `hear` gets each body and says what to answer; None: nothing, ever."""

    def __init__(self, hear: Callable[[str, bytes], bytes | None]) -> None:
        self._hear = hear
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._path = self._body = b""

    def on_url(self, part: bytes) -> None:
        self._path += part

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        said = self._hear(self._path.decode(), self._body)
        if said is not None and self._transport is not None:
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(said), said)
            )


@asynccontextmanager
async def in_process(hear: Callable[[str, bytes], bytes | None]) -> AsyncGenerator[str]:
    """Serve inside this process. Answers the URL."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: InProcess(hear), "127.0.0.1", 0, backlog=1024)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    finally:
        server.close()


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[Endpoint]:
    """Start an endpoint that answers at once."""
    port = free_port()
    kind, command = _command(folder, port)
    program = Program(command, log=folder / "endpoint.log", env={}, folder=ROOT)
    try:
        endpoint = Endpoint(kind, port, program)
        await _ready(program, port)
        yield endpoint
    finally:
        await program.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command(folder: Path, port: int) -> tuple[str, list[str]]:
    nginx = shutil.which("nginx")
    if nginx is None:
        return "own", [sys.executable, "-m", "bench.endpoint", str(port)]
    config = folder / "nginx.conf"
    config.write_text(
        _NGINX.format(folder=folder, port=port, count=_COUNT_PATH, answer=ANSWER.decode())
    )
    return "nginx", [nginx, "-c", str(config), "-p", str(folder)]


async def _ready(program: Program, port: int) -> None:
    deadline = asyncio.get_running_loop().time() + _READY_SECONDS
    while True:
        program.check()
        try:
            answer = await ask(port, get("/"))
        except OSError:
            if asyncio.get_running_loop().time() > deadline:
                raise ProgramFailed("the endpoint does not answer") from None
            await asyncio.sleep(0.02)
        else:
            if answer.status == HTTPStatus.OK:
                return


async def _serve(port: int) -> None:
    count = 0

    def hear(path: str, _body: bytes) -> bytes:
        nonlocal count
        if path == _COUNT_PATH:
            return b"%d" % count
        count += 1
        return ANSWER

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: InProcess(hear), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
