"""The rate of whole lifecycles while a million runs wait, against ten thousand.

For each run the endpoint receives, another is triggered: the backlog stays
what it is, and every run that is counted was triggered, claimed, sent and
recorded.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from statistics import median
from typing import Final, Self

from msgspec import Struct

from bench.accounts import Spent
from bench.endpoint import Endpoint
from bench.load import ask
from bench.report import Figure, Section, at_least, progress, rates
from bench.stage import Stage
from bench.strait import PER_BULK, Job, Strait

_LOOK_EVERY: Final = 0.02


class Turn(Struct, frozen=True):
    """Lifecycles at one backlog."""

    runs: int
    spent: Spent

    @property
    def rate(self) -> float:
        return self.runs / self.spent.seconds

    @property
    def micros(self) -> float:
        return self.spent.total_micros_per(self.runs)


async def measure(stage: Stage) -> Section:
    """Fill two databases once, then let them take turns."""
    small, large = stage.scale.small_backlog, stage.scale.large_backlog
    turns: dict[int, list[Turn]] = {small: [], large: []}
    async with _filled(stage, small) as few, _filled(stage, large) as many:
        for turn in range(stage.scale.rounds):
            progress(f"backlog: turn {turn + 1}")
            turns[small].append(await _one(stage, *few))
            turns[large].append(await _one(stage, *many))
    rate = {size: median(turn.rate for turn in seen) for size, seen in turns.items()}
    micros = {size: median(turn.micros for turn in seen) for size, seen in turns.items()}
    return Section(
        "backlog",
        [
            Figure(
                what=f"{large:,} queued ÷ {small:,} queued, lifecycle rate",
                value=rate[large] / rate[small],
                bound=at_least(0.9),
                neighbours=max(turn.spent.neighbours for seen in turns.values() for turn in seen),
                by_cpu=micros[small] / micros[large],
                note=f"{rates(turns[large])} against {rates(turns[small])}",
            )
        ],
        {
            str(size): [
                {
                    "runs_per_second": turn.rate,
                    "cpu_us_per_run": turn.spent.micros_per(turn.runs),
                    "neighbours_cores": turn.spent.neighbours,
                }
                for turn in seen
            ]
            for size, seen in turns.items()
        },
    )


@asynccontextmanager
async def _filled(stage: Stage, size: int) -> AsyncGenerator[tuple[Strait, Job]]:
    async with stage.strait(f"backlog_{size}", worker=False) as strait:
        job = await strait.job(stage.endpoint.url, {"run_ttl_secs": 86_400})
        rate = await strait.fill(job, size)
        progress(f"backlog: {size:,} runs triggered, {rate:,.0f} a second")
        yield strait, job


async def _one(stage: Stage, strait: Strait, job: Job) -> Turn:
    """Work with the worker of one database; the other's API is idle meanwhile."""
    await stage.postgres.settle()
    await strait.start_worker()
    try:
        cycle = await Cycle.of(stage, strait, job)
        await cycle.turn(seconds=stage.scale.warm_seconds)
        meter = stage.meter(strait)
        runs = await cycle.turn(seconds=stage.scale.seconds)
        return Turn(runs, meter.spent())
    finally:
        await strait.stop_worker()


class Cycle:
    """Replaces the runs that are done by new ones, 500 at a time."""

    def __init__(self, endpoint: Endpoint, strait: Strait, job: Job, began: int) -> None:
        self._endpoint = endpoint
        self._strait = strait
        self._request = job.bulk(PER_BULK)
        self._replaced = began
        self._done = began

    @classmethod
    async def of(cls, stage: Stage, strait: Strait, job: Job) -> Self:
        return cls(stage.endpoint, strait, job, await stage.endpoint.count())

    async def turn(self, *, seconds: float) -> int:
        """Go on for a while. Answers how many runs were done."""
        clock = asyncio.get_running_loop().time
        end, began = clock() + seconds, self._done
        while clock() < end:
            self._strait.check()
            self._done = await self._endpoint.count()
            if self._done - self._replaced >= PER_BULK:
                await ask(self._strait.port, self._request)
                self._replaced += PER_BULK
            else:
                await asyncio.sleep(_LOOK_EVERY)
        return self._done - began
