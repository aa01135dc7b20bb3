"""Real endpoints on 127.0.0.1 that behave as badly as the test needs, and clients to meet them."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import pytest

from strait_server.base.outbound import urls
from strait_server.base.outbound.client import Client
from strait_server.base.outbound.resolver import Resolver
from strait_server.base.outbound.urls import EndpointPolicy

PRIVATE = EndpointPolicy(allow_private=True)


class Peer:
    """The endpoint's side of one connection."""

    def __init__(self, endpoint, reader, writer):
        self.endpoint = endpoint
        self._reader = reader
        self._writer = writer

    async def head(self):
        return await self._reader.readuntil(b"\r\n\r\n")

    async def request(self):
        """Read one request; remember it."""
        head = await self.head()
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        request = head + await self._reader.readexactly(length)
        self.endpoint.requests.append(request)
        return request

    def send(self, text):
        self._writer.write(text)

    def answer(self, body=b"{}", status=b"200 OK"):
        self.send(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    async def flood(self, piece, limit=2 << 30):
        """Send as much as the client takes, at most 2 GiB; count it."""
        while self.endpoint.sent < limit:
            self.send(piece)
            await self._writer.drain()
            self.endpoint.sent += len(piece)

    def close(self):
        self._writer.close()

    async def gone(self, within=10.0):
        """Wait for the client to hang up; False when it is still there."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while await self._reader.read(65536):
                    pass
                return True
        return False


class Endpoint:
    """A server that plays the same script on every connection."""

    def __init__(self, script):
        self.accepted = 0
        self.requests = []
        self.sent = 0
        self.hung_up = 0
        self.port = 0
        self._script = script
        self._server = None
        self._playing = set()

    async def start(self, tls):
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self):
        self._server.close()
        for task in self._playing:
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        await self._server.wait_closed()

    def target(self, path="/hook", host="127.0.0.1", scheme="http"):
        return urls.parse(f"{scheme}://{host}:{self.port}{path}", PRIVATE)

    async def _meet(self, reader, writer):
        self.accepted += 1
        task = asyncio.current_task()
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)
        try:
            await self._script(Peer(self, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up += 1
        finally:
            writer.close()


async def answers(peer):
    """Behave: the script of a good endpoint."""
    while True:
        await peer.request()
        peer.answer()


@pytest.fixture
async def serve():
    """Start an endpoint that plays a script; by default it answers 200 and keeps the connection."""
    running = []

    async def start(script: Callable[[Peer], Awaitable[None]] = answers, *, tls=None):
        endpoint = Endpoint(script)
        await endpoint.start(tls)
        running.append(endpoint)
        return endpoint

    yield start
    for endpoint in running:
        await endpoint.stop()


@pytest.fixture
async def new_client():
    """Make a client. Every name it looks up is at 127.0.0.1, unless the test says otherwise."""
    made = []

    def make(*, addresses=("127.0.0.1",), lookup=None, **options):
        resolver = Resolver(lookup or (lambda _host: list(addresses)))
        client = Client(resolver, **options)
        made.append((client, resolver))
        return client

    yield make
    for client, resolver in made:
        await client.close()
        resolver.close()
        assert client.open_connections == 0


@pytest.fixture
def client(new_client):
    return new_client()


@pytest.fixture
def post():
    """Send a request with generous bounds, unless the test sets them."""

    async def send(client, target, *, body=b'{"n":1}', headers=(), method="POST", **bounds):
        generous = {"total_seconds": 10.0, "connect_seconds": 5.0, "max_body_bytes": 1 << 20}
        return await client.request(
            method, target, headers=headers, body=body, **{**generous, **bounds}
        )

    return send


@pytest.fixture
def eventually():
    """Poll a condition until it holds, for at most five seconds."""

    async def poll(condition):
        async with asyncio.timeout(5.0):
            while not condition():
                await asyncio.sleep(0)

    return poll


@pytest.fixture
def deafen():
    """Listen at an address without ever accepting, with a full queue: connecting hangs there."""
    opened = []

    def listen(address="127.0.0.1", port=0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        opened.append(listener)
        for _ in range(4):
            caller = socket.socket()
            caller.settimeout(0)
            opened.append(caller)
            with contextlib.suppress(BlockingIOError):
                caller.connect(listener.getsockname())
        return listener.getsockname()[1]

    yield listen
    for each in opened:
        each.close()
