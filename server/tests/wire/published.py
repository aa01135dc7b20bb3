"""The published client in a process of its own, told what to do line by line."""

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple

from wire import environment

DRIVER = Path(__file__).with_name("driver.py")
LONGEST_LINE = 32 << 20
PATIENCE = 30.0


class Outcome(NamedTuple):
    """What came of it: a value, or what was raised; and the statuses the client met on the way."""

    value: Any
    raised: str
    text: str
    status: int | None
    body: Any
    statuses: list[int]

    @property
    def message(self) -> str:
        """What went wrong, for an assertion to show."""
        return f"{self.raised} {self.status}: {self.text} {self.body}" if self.raised else ""


class Published:
    """The client and its user."""

    def __init__(self, process: asyncio.subprocess.Process):
        self._process = process
        self._turn = asyncio.Lock()

    @classmethod
    async def start(cls) -> "Published":
        python = await asyncio.to_thread(environment.prepare)
        process = await asyncio.create_subprocess_exec(
            str(python),
            "-I",
            str(DRIVER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
        )
        return cls(process)

    async def do(self, what: str, caller: dict[str, Any] | None = None, **order: Any) -> Outcome:
        """Let the driver do something, as a caller or by itself."""
        line = json.dumps({"do": what, "caller": caller, **order}) + "\n"
        async with self._turn, asyncio.timeout(PATIENCE):
            self._process.stdin.write(line.encode())
            answer = json.loads(await self._process.stdout.readline())
        return Outcome(
            value=answer.get("value"),
            raised=answer.get("raised", ""),
            text=answer.get("text", ""),
            status=answer.get("status"),
            body=answer.get("body"),
            statuses=[exchange["status"] for exchange in answer["exchanges"]],
        )

    async def stop(self) -> None:
        self._process.stdin.close()
        await self._process.wait()
