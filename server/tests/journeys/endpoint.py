"""The user's endpoint: a real server that remembers every call and plays a script per path."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

import msgspec

OK = b'{"ok":true}'
LONGEST = 2 << 30


class Call:
    """One request, as it was heard, and what became of it.

    `status` is what was answered, None while nothing was; `broken` says that the
    caller had hung up by then; `sent` are bytes of a flood. `caller` is a port.
    """

    def __init__(self, path: str, headers: dict[str, str], caller: int):
        self.path = path
        self.run_id = UUID(headers["x-run-id"])
        self.attempt = int(headers["x-attempt"])
        self.token = headers["x-run-token"]
        self.caller = caller
        self.at = time.monotonic()
        self.wall = time.time()
        self.status: int | None = None
        self.under_way = True
        self.broken = False
        self.sent = 0


class Visit(NamedTuple):
    """A call, and the means to answer it well or badly."""

    call: Call
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def answer(self, status: int = 200, body: bytes = OK) -> None:
        self.call.broken = self.reader.at_eof() or self.writer.is_closing()
        self.call.status = status
        self.say(
            b"HTTP/1.1 %d It Is\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )

    def say(self, text: bytes) -> None:
        self.writer.write(text)

    async def flood(self, piece: bytes, *, most: int = LONGEST) -> None:
        """Say as much as the caller takes."""
        with suppress(ConnectionError):
            while self.call.sent < most:
                self.say(piece)
                await self.writer.drain()
                self.call.sent += len(piece)

    async def hung_up(self) -> None:
        """Wait until the caller has gone."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


Script = Callable[[Visit], Awaitable[None]]


async def answers(visit: Visit) -> None:
    visit.answer()


def works_for(seconds: float, *, attempts: int = 1000) -> Script:
    """Answer well, the first attempts of a run after so much work."""

    async def work(visit: Visit) -> None:
        if visit.call.attempt <= attempts:
            await asyncio.sleep(seconds)
        visit.answer()

    return work


class Endpoint:
    """A server on 127.0.0.1."""

    def __init__(self):
        self.calls: list[Call] = []
        self.port = 0
        self._scripts: dict[str, Script] = {}
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def play(self, path: str, script: Script) -> str:
        """From now on, do this there. Answers the URL."""
        self._scripts[f"/{path}"] = script
        return self.url(path)

    def calls_to(self, path: str) -> list[Call]:
        return [call for call in self.calls if call.path == f"/{path}"]

    def calls_of(self, run_id: UUID) -> list[Call]:
        return [call for call in self.calls if call.run_id == run_id]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._meet(reader, writer))
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._serve(Visit(await _hear(reader, writer), reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _serve(self, visit: Visit) -> None:
        self.calls.append(visit.call)
        try:
            await self._scripts.get(visit.call.path, answers)(visit)
            await visit.writer.drain()
        finally:
            visit.call.under_way = False


async def _hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
    head = await reader.readuntil(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    pairs = (one.split(": ", 1) for one in rest if one)
    headers = {name.lower(): value for name, value in pairs}
    msgspec.json.decode(await reader.readexactly(int(headers["content-length"])))
    return Call(line.split(" ")[1], headers, writer.get_extra_info("peername")[1])
