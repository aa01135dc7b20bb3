"""A user's endpoint on 127.0.0.1, which does what the test wrote down for it.

The nth request to a path plays the nth script of that path, later ones the last;
a path nobody wrote for answers 200 and `{}`. A script is given the connection and
the request, so it can answer, hang, trickle or hang up.
"""

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

DEADLINE = 10.0


class Request(NamedTuple):
    """What was heard. Header names are as they were sent."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __getitem__(self, name):
        """The one header of this name."""
        [value] = [value for key, value in self.headers if key.lower() == name.lower()]
        return value

    def has(self, name):
        return any(key.lower() == name.lower() for key, _ in self.headers)

    @property
    def run_id(self):
        return self["X-Run-ID"]

    @property
    def attempt(self):
        return int(self["X-Attempt"])


class Peer:
    """The endpoint's side of a connection."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer

    async def request(self):
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.strip().split("\r\n")
        headers = tuple(
            (name, value) for name, _, value in (field.partition(": ") for field in fields)
        )
        length = next(int(value) for name, value in headers if name.lower() == "content-length")
        return Request(line.split()[1], headers, await self._reader.readexactly(length))

    async def send(self, text):
        self._writer.write(text)
        await self._writer.drain()

    async def gone(self):
        """Wait until the caller has hung up."""
        while await self._reader.read(65536):
            pass


Script = Callable[[Peer, Request], Awaitable[None]]


def answer(status=200, body=b"{}", **headers) -> Script:
    """Answer at once. Names of headers are written with underscores."""
    if not isinstance(body, bytes):
        body = msgspec.json.encode(body)
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} Whatever\r\n{fields}Content-Length: {len(body)}\r\n\r\n"

    async def play(peer, request):
        await peer.send(head.encode() + body)

    return play


def when(event, script=None) -> Script:
    """Play another script as soon as the event is set."""

    async def play(peer, request):
        await event.wait()
        await (script or answer())(peer, request)

    return play


def trickle(status=200, pieces=100) -> Script:
    """Answer byte by byte, without ever being done."""

    async def play(peer, request):
        await peer.send(f"HTTP/1.1 {status} OK\r\nContent-Length: {pieces}\r\n\r\n".encode())
        await peer.send(b"x")
        await peer.gone()

    return play


async def hang(peer, request):
    """Never answer."""
    await peer.gone()


async def hang_up(peer, request):
    """Close the connection instead of answering."""
    raise ConnectionResetError


class Endpoint:
    """The server. `requests` are all it heard, in order; `busiest` is how many at once."""

    def __init__(self):
        self.requests: list[Request] = []
        self.busy = 0
        self.busiest = 0
        self.port = 0
        self._scripts: dict[str, tuple[Script, ...]] = {}
        self._heard: Counter[str] = Counter()
        self._playing: set[asyncio.Task] = set()
        self._news = asyncio.Condition()

    async def start(self):
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self):
        self._server.close()
        for task in self._playing:
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        await self._server.wait_closed()

    def url(self, path="/work"):
        return f"http://127.0.0.1:{self.port}{path}"

    def on(self, path, *scripts: Script):
        """Write down what requests to the path are met with from now on."""
        self._scripts[path] = scripts
        self._heard[path] = 0
        return self.url(path)

    def to(self, path):
        """What was heard at a path."""
        return [request for request in self.requests if request.path == path]

    def attempts(self):
        """Which attempts of each run were heard."""
        attempts = defaultdict(list)
        for request in self.requests:
            attempts[request.run_id].append(request.attempt)
        return dict(attempts)

    async def heard(self, count, path=None):
        """Wait until so many requests were heard, and return them."""

        def wanted():
            return self.requests if path is None else self.to(path)

        async with asyncio.timeout(DEADLINE), self._news:
            await self._news.wait_for(lambda: len(wanted()) >= count)
        return wanted()[:count]

    async def idle(self):
        """Wait until nothing is being answered."""
        async with asyncio.timeout(DEADLINE), self._news:
            await self._news.wait_for(lambda: self.busy == 0)

    async def _meet(self, reader, writer):
        task = asyncio.current_task()
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)
        peer = Peer(reader, writer)
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            while True:
                await self._play(peer, await peer.request())
        writer.close()

    async def _play(self, peer, request):
        path = request.path
        scripts = self._scripts.get(path) or (answer(),)
        script = scripts[min(self._heard[path], len(scripts) - 1)]
        self._heard[path] += 1
        self.requests.append(request)
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await self._tell()
        try:
            await script(peer, request)
        finally:
            self.busy -= 1
            await asyncio.shield(self._tell())

    async def _tell(self):
        async with self._news:
            self._news.notify_all()
