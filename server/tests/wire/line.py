"""A connection on which anything can be said, also what is no HTTP."""

import asyncio
import json
from contextlib import suppress
from typing import NamedTuple

PATIENCE = 10.0


class Said(NamedTuple):
    """One answer, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self):
        return json.loads(self.body)["message"]


class Line:
    """A connection on which anything can be said."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer

    def say(self, text: bytes):
        self._writer.write(text)

    async def flood(self, piece: bytes, *, most: int) -> int:
        """Say the piece again and again until nobody listens any more. Answers how much it was."""
        said = 0
        with suppress(ConnectionError):
            while said < most:
                self.say(piece)
                await self._writer.drain()
                said += len(piece)
        return said

    def hang_up(self):
        self._writer.close()

    async def hear(self, *, body=True) -> Said:
        async with asyncio.timeout(PATIENCE):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *rest = head.rstrip("\r\n").split("\r\n")
            pairs = (one.split(": ", 1) for one in rest)
            headers = {name.lower(): value for name, value in pairs}
            length = int(headers.get("content-length", 0)) if body else 0
            return Said(int(line.split()[1]), headers, await self._reader.readexactly(length))

    async def hung_up(self):
        async with asyncio.timeout(PATIENCE):
            return await self._reader.read() == b""
