"""A stretch of network between a process and PostgreSQL, which somebody can spoil."""

import asyncio
from contextlib import suppress


class Wire:
    """Carries connections to a unix socket, until the bad `word` is said on one of them.

    From then on it is broken: no answers come back, neither the one that has the
    word nor the one to it, and nobody is told, until it is mended. With `local`
    damage the other connections go on.
    """

    def __init__(self, socket_path: str):
        self.word: bytes | None = None
        self.local = False
        self.broken = False
        self.port = 0
        self._socket_path = socket_path
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task] = set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._silent: set[asyncio.StreamWriter] = set()

    def dsn(self, database: str) -> str:
        """Tell the way to a database that leads through here."""
        return f"postgresql://strait@127.0.0.1:{self.port}/{database}?sslmode=disable"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        self.mend()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def mend(self) -> None:
        """Carry everything again, after hanging up at both ends."""
        self.word, self.broken, self.local = None, False, False
        for end in self._ends:
            end.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._keep(self._connect(reader, writer))

    def _keep(self, carrying) -> None:
        task = asyncio.create_task(carrying)
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._socket_path)
        self._ends |= {writer, back}
        self._keep(self._carry(reader, back, caller=writer))
        await self._carry(there, writer, caller=writer)

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        caller: asyncio.StreamWriter,
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.word is not None and self.word in data:
                    self.broken = True
                    self._silent.add(caller)
                lost = caller in self._silent if self.local else self.broken
                if not (writer is caller and lost):
                    writer.write(data)
                    await writer.drain()
        writer.close()
        self._ends.discard(writer)
        self._silent.discard(writer)
