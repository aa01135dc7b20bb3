"""What a stage puts on the machine: a folder, a PostgreSQL that can crash, processes.

Whatever is started here ends here, by its own process id, and takes its data
with it. Nothing else on the machine is touched.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import msgspec
import psutil

from strait_server.base.db.embedded import server as embedded
from strait_server.base.db.outage import FAILURES

POLL = 0.02
BACK = 20.0  # seconds until what was killed works again
GRACE = 6.5  # how long after its start a PostgreSQL counts as started lately


@contextmanager
def a_folder() -> Iterator[Path]:
    """Make a folder that PostgreSQL's user can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="strait-journeys-")).resolve()
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def eventually(
    true: Callable[[], Awaitable[Any]] | Callable[[], Any], *, within: float, what: str = ""
) -> Any:
    """Wait for something to be true, and answer it. AssertionError when it is not in time."""
    deadline = time.monotonic() + within
    while True:
        answer = true()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within:g} s: {what or true}"
        await asyncio.sleep(POLL)


class Postgres:
    """An embedded PostgreSQL of a stage's own."""

    def __init__(self, folder: Path):
        self._server = embedded.start(folder, log=lambda _: None)
        self._started = time.monotonic()
        self.dsn = self._server.dsn
        address = parse_qs(urlsplit(self.dsn).query)
        self.socket = f"{address['host'][0]}/.s.PGSQL.{address['port'][0]}"

    async def crash(self) -> None:
        """SIGKILL, and nothing of it is left."""
        await asyncio.to_thread(self._server.kill)

    async def revive(self) -> None:
        """Start it again on what the crash left."""
        await asyncio.to_thread(self._server.run)
        self._started = time.monotonic()
        assert self._server.dsn == self.dsn, "somebody took the port meanwhile"

    async def lose_a_backend(self, dice: Random) -> None:
        """SIGKILL one of its connections: it ends them all, and recovers by itself."""
        async with self.connection() as raw:
            rows = await raw.fetch(
                "select pid from pg_stat_activity"
                " where backend_type = 'client backend' and pid <> pg_backend_pid()"
            )
        os.kill(dice.choice(rows)["pid"], signal.SIGKILL)
        await eventually(self._answers, within=BACK)

    async def is_settled(self) -> None:
        """Wait until it is old enough for lost workers to be taken for lost at once."""
        await asyncio.sleep(max(0.0, self._started + GRACE - time.monotonic()))

    def stop(self) -> None:
        self._server.stop()

    async def _answers(self) -> bool:
        with suppress(*FAILURES):
            async with self.connection() as raw:
                return await raw.fetchval("select true")
        return False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        raw = await asyncpg.connect(self.dsn, timeout=10, command_timeout=30)
        try:
            yield raw
        finally:
            raw.terminate()


class Program:
    """One process of the product, and what it says."""

    def __init__(self, name: str, command: tuple[str, ...], environ: Mapping[str, str], log: Path):
        self.name = name
        self._log = log
        with log.open("ab") as sink:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                env={**os.environ, **environ},
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def most_resident_bytes(self) -> int:
        """The most memory it ever took."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def said(self) -> list[dict[str, Any]]:
        """Every line it logged; one that is no JSON as its message."""
        lines = self._log.read_text(errors="replace").splitlines()
        return [_read(line) for line in lines if line.strip("\0 ")]

    def has_said(self, message: str) -> bool:
        assert self.alive, f"{self.name} ended: {self.said()[-3:]}"
        return any(line["msg"] == message for line in self.said())

    def signal(self, request: signal.Signals) -> None:
        self._process.send_signal(request)

    def kill(self) -> None:
        """SIGKILL; nothing of what it had in mind happens any more."""
        self._process.kill()
        self._process.wait()

    async def ended(self, within: float) -> int:
        """Wait for its end, and answer its exit code."""
        await eventually(lambda: not self.alive, within=within, what=f"the end of {self.name}")
        return self._process.returncode

    def children(self) -> list[psutil.Process]:
        """Find the processes that it supervises."""
        return psutil.Process(self.pid).children()

    def ports(self) -> set[int]:
        """Find the ports that it calls others from."""
        with suppress(psutil.NoSuchProcess):
            return {one.laddr.port for one in psutil.Process(self.pid).net_connections("tcp4")}
        return set()


def _read(line: str) -> dict[str, Any]:
    with suppress(msgspec.DecodeError):
        said = msgspec.json.decode(line)
        if isinstance(said, dict) and "msg" in said:
            return said
    return {"msg": line}
