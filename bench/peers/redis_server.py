"""A redis without persistence for the contenders that need one."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.endpoint import free_port
from bench.load import wire
from bench.processes import Program, ProgramFailed

_READY_SECONDS: Final = 10.0


class Redis:
    """A running server."""

    def __init__(self, port: int, program: Program) -> None:
        self.url: Final = f"redis://127.0.0.1:{port}/0"
        self.pid: Final = program.pid


@asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[Redis | None]:
    """Start a server of our own. None: there is none on this machine."""
    found = shutil.which("redis-server")
    if found is None:
        yield None
        return
    port = free_port()
    command = [found, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no"]
    program = Program(command, log=folder / "redis.log", env={}, folder=folder)
    try:
        await _ready(program, port)
        yield Redis(port, program)
    finally:
        await program.stop()


async def _ready(program: Program, port: int) -> None:
    clock = asyncio.get_running_loop().time
    deadline = clock() + _READY_SECONDS
    while True:
        program.check()
        try:
            (await wire(port)).close()
        except OSError:
            if clock() > deadline:
                raise ProgramFailed("redis does not answer") from None
            await asyncio.sleep(0.02)
        else:
            return
