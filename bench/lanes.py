"""What the express lane saves: the same trigger through it and through the framework.

The lane recognises the paths of hot routes as they are written; the framework
also forgives a doubled slash. So that is the way past the lane, and both doors
are measured in one and the same process.
"""

from itertools import repeat
from statistics import median

from msgspec import Struct

from bench.accounts import Spent
from bench.drive import CONNECTIONS
from bench.load import Load, closed_loop
from bench.report import Figure, Section, at_most, progress
from bench.stage import Stage
from bench.strait import Strait


class Turn(Struct, frozen=True):
    """Triggers through one door."""

    load: Load
    spent: Spent

    @property
    def micros(self) -> float:
        """CPU of the API process per trigger."""
        return self.spent.micros_per(len(self.load.latencies))["api"]


async def measure(stage: Stage) -> Section:
    """Let the doors take turns on one API process. No worker runs."""
    lane: list[Turn] = []
    framework: list[Turn] = []
    async with stage.strait(worker=False) as strait:
        job = await strait.job(stage.endpoint.url)
        request = job.trigger()
        detour = request.replace(b"/trigger HTTP/1.1", b"//trigger HTTP/1.1", 1)
        for turn in range(stage.scale.rounds):
            progress(f"lanes: turn {turn + 1}")
            lane.append(await _one(stage, strait, request))
            framework.append(await _one(stage, strait, detour))
    fast = median(turn.micros for turn in lane)
    slow = median(turn.micros for turn in framework)
    return Section(
        "express lane",
        [
            Figure(
                what="express lane ÷ Litestar route, CPU of the API per trigger",
                value=fast / slow,
                bound=at_most(0.6),
                note=(
                    f"{fast:.0f} µs ({_rates(lane)} triggers/s)"
                    f" against {slow:.0f} µs ({_rates(framework)})"
                ),
            )
        ],
        {
            "lane_us": [turn.micros for turn in lane],
            "framework_us": [turn.micros for turn in framework],
        },
    )


async def _one(stage: Stage, strait: Strait, request: bytes) -> Turn:
    await closed_loop(
        strait.port, repeat(request), connections=CONNECTIONS, seconds=stage.scale.warm_seconds
    )
    meter = stage.meter(strait)
    load = await closed_loop(
        strait.port, repeat(request), connections=CONNECTIONS, seconds=stage.scale.seconds
    )
    return Turn(load, meter.spent())


def _rates(turns: list[Turn]) -> str:
    return ", ".join(f"{turn.load.rate:,.0f}" for turn in turns)
