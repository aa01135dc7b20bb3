"""Programs that a bench starts, what CPU they took, and their end."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

ROOT: Final = Path(__file__).parent.parent
_PATIENCE_SECONDS: Final = 10.0
_LAST_WORDS: Final = 2000
_NANOS: Final = 1_000_000_000


class ProgramFailed(Exception):
    """A program ended by itself, or never began to work."""


class Program:
    """One process in a session of its own, together with what it starts."""

    def __init__(
        self, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], folder: Path
    ) -> None:
        self._name: Final = " ".join(str(part) for part in command)
        self._log: Final = log
        with log.open("wb") as sink:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [str(part) for part in command],
                cwd=folder,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def check(self) -> None:
        """Raise with its last words if it has ended."""
        if self._process.poll() is not None:
            raise ProgramFailed(f"{self._name} ended: {self.last_words()}")

    def last_words(self) -> str:
        """Answer the end of what it wrote."""
        return self._log.read_text(errors="replace")[-_LAST_WORDS:].strip()

    async def done(self, *, seconds: float) -> None:
        """Wait until it has ended well."""
        await self._gone(seconds)
        if self._process.poll() is None:
            raise ProgramFailed(f"{self._name} took more than {seconds:g} seconds")
        if self._process.returncode:
            self.check()

    async def stop(self) -> None:
        """End it and its session, politely first. Safe to repeat."""
        self._signal(signal.SIGTERM)
        await self._gone(_PATIENCE_SECONDS)
        self._signal(signal.SIGKILL)
        await self._gone(_PATIENCE_SECONDS)

    async def _gone(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, seconds)

    def _signal(self, request: signal.Signals) -> None:
        # The session carries the id of its leader, also when only others are left in it.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, request)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, its descendants, and those they have buried."""
    return sum(_taken(process) for process in _family(pid))


def resident_bytes(pid: int) -> int:
    """Memory of a process and its descendants."""
    total = 0
    for process in _family(pid):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def machine_busy_seconds() -> float:
    """CPU time that anybody on this machine took, ever."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _family(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _taken(process: psutil.Process) -> float:
    """Take the larger of two truths that are both too small.

    The kernel's ticks lose up to 10 ms per process, which is much with a pool
    of connections; its exact account forgets threads that have ended.
    """
    try:
        times = process.cpu_times()
        threads = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
        exact = sum(int(thread.read_text().split()[0]) for thread in threads) / _NANOS
    except (psutil.NoSuchProcess, OSError):
        return 0.0
    buried = float(times.children_user + times.children_system)
    return max(float(times.user + times.system), exact) + buried
