"""Load from trigger to committed completion, and what it took: most measurements are made of it."""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from statistics import fmean
from typing import Final

from msgspec import Struct

from bench.accounts import Spent
from bench.endpoint import Endpoint
from bench.load import Load, closed_loop
from bench.processes import Program, ProgramFailed, resident_bytes
from bench.stage import Stage
from bench.strait import Strait

CONNECTIONS: Final = 64
_DRAIN_SECONDS: Final = 120.0
_LOOK_EVERY: Final = 1.0
_MEGABYTE: Final = 1_000_000
_MICROS: Final = 1_000_000


class Watch(Struct):
    """What was seen during a load: runs in each second of it, and the most memory."""

    rates: list[float] = []
    memory: dict[str, float] = {}

    def windows(self, seconds: int) -> list[float]:
        """Average over each whole window: runs per second."""
        starts = range(0, len(self.rates) - seconds + 1, seconds)
        return [fmean(self.rates[start : start + seconds]) for start in starts]


class Drive(Struct, frozen=True):
    """One load, all of its runs completed. `rate`: from the first trigger to the last commit."""

    runs: int
    load: Load
    spent: Spent
    watch: Watch

    @property
    def rate(self) -> float:
        return self.runs / self.spent.seconds

    @property
    def micros(self) -> float:
        """CPU per run of everything but the load generator."""
        return self.spent.total_micros_per(self.runs)

    @property
    def affordable(self) -> float:
        """Runs per second that the machine's CPU would do for, the load generator included."""
        micros = self.micros + self.spent.load_cpu * _MICROS / self.runs
        return (os.cpu_count() or 1) * _MICROS / micros

    def told(self) -> dict[str, object]:
        """For the record."""
        return {
            "runs": self.runs,
            "seconds": self.spent.seconds,
            "runs_per_second": self.rate,
            "cpu_us_per_run": self.micros,
            "cpu_us_per_run_by_process": self.spent.micros_per(self.runs),
            "load_generator_us_per_run": self.spent.load_cpu * _MICROS / self.runs,
            "neighbours_cores": self.spent.neighbours,
            "accepted_per_second": self.load.rate,
            "drain_seconds": self.spent.seconds - self.load.seconds,
            "trigger_ms": {"p50": self.load.percentile(0.5), "p99": self.load.percentile(0.99)},
            "rate_each_second": self.watch.rates,
            "peak_memory_mb": self.watch.memory,
        }


async def drive(
    stage: Stage, running: Strait, requests: Iterator[bytes], *, seconds: float, beside: int = 0
) -> Drive:
    """Trigger runs in 64 closed loops, wait until all are completed, and check that they are.

    `beside` leases are of runs that never finish, and are not waited for.
    """
    await closed_loop(
        running.port, requests, connections=CONNECTIONS, seconds=stage.scale.warm_seconds
    )
    await running.drained(seconds=_DRAIN_SECONDS, beside=beside)
    before = await running.counts()
    meter = stage.meter(running)
    async with _watching(stage, running) as watch:
        load = await closed_loop(running.port, requests, connections=CONNECTIONS, seconds=seconds)
    await running.drained(seconds=_DRAIN_SECONDS, beside=beside)
    spent = meter.spent()
    after = await running.counts()
    runs = after.get("completed", 0) - before.get("completed", 0)
    if runs != len(load.latencies):
        raise ProgramFailed(f"{len(load.latencies)} triggers were answered, {after} is there")
    return Drive(runs, load, spent, watch)


@asynccontextmanager
async def _watching(stage: Stage, running: Strait) -> AsyncGenerator[Watch]:
    """Look at progress and memory as long as the block lasts."""
    watch = Watch()
    tasks = [
        asyncio.create_task(_watch_rate(stage.endpoint, watch)),
        asyncio.create_task(_watch_memory(running, watch)),
    ]
    try:
        yield watch
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def _watch_rate(endpoint: Endpoint, watch: Watch) -> None:
    clock = asyncio.get_running_loop().time
    looked, seen = clock(), await endpoint.count()
    while True:
        await asyncio.sleep(looked + _LOOK_EVERY - clock())
        now, count = clock(), await endpoint.count()
        watch.rates.append((count - seen) / (now - looked))
        looked, seen = now, count


async def _watch_memory(running: Strait, watch: Watch) -> None:
    programs: dict[str, Program | None] = {"api": running.api, "worker": running.worker}
    while True:
        running.check()
        for name, program in programs.items():
            if program is not None:
                size = resident_bytes(program.pid) / _MEGABYTE
                watch.memory[name] = max(watch.memory.get(name, 0.0), size)
        await asyncio.sleep(_LOOK_EVERY)
