"""How long a run waits when there is nothing to wait for: a trigger now and then.

The endpoint lives in this process, so that both ends are read from one clock.
"""

import re
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Final

from bench import endpoint
from bench.load import Load, percentile, poisson
from bench.processes import ProgramFailed
from bench.report import Figure, Section, at_most, progress
from bench.stage import Stage
from bench.strait import Job, Strait

RATE: Final = 100
_NUMBER: Final = re.compile(rb'"number":\s*(\d+)')
_DRAIN_SECONDS: Final = 30.0


async def measure(stage: Stage) -> Section:
    turns: list[tuple[Load, list[float]]] = []
    neighbours = 0.0
    for turn in range(stage.scale.rounds):
        progress(f"latency: turn {turn + 1}")
        async with stage.strait() as strait:
            meter = stage.meter(strait)
            turns.append(await _one(stage, strait))
            neighbours = max(neighbours, meter.spent().neighbours)
    reached = [(percentile(seen, 0.5), percentile(seen, 0.99)) for _, seen in turns]
    replied = [(load.percentile(0.5), load.percentile(0.99)) for load, _ in turns]
    p50, p99 = (median(column) for column in zip(*reached, strict=True))
    reply50, reply99 = (median(column) for column in zip(*replied, strict=True))
    return Section(
        f"latency at {RATE} runs/s, Poisson arrivals",
        [
            Figure(
                what="trigger sent → endpoint reached, p50",
                value=p50,
                unit="ms",
                bound=at_most(6),
                neighbours=neighbours,
                note=f"trigger sent → 201: p50 {reply50:.1f} ms, p99 {reply99:.1f} ms",
            ),
            Figure(
                what="trigger sent → endpoint reached, p99",
                value=p99,
                unit="ms",
                bound=at_most(25),
                neighbours=neighbours,
                note="each turn: "
                + ", ".join(f"{half:.1f} / {most:.1f} ms" for half, most in reached),
            ),
        ],
        {"reached_ms": reached, "replied_ms": replied, "neighbours_cores": neighbours},
    )


async def _one(stage: Stage, strait: Strait) -> tuple[Load, list[float]]:
    sent: dict[int, float] = {}
    seen: list[float] = []

    def hear(_path: str, body: bytes) -> bytes:
        arrived = perf_counter()
        found = _NUMBER.search(body)
        if found is not None and (number := int(found[1])) in sent:
            seen.append(arrived - sent[number])
        return endpoint.ANSWER

    async with endpoint.in_process(hear) as url:
        job = await strait.job(url)
        await poisson(
            strait.port, lambda _: job.trigger(), rate=RATE, seconds=stage.scale.warm_seconds
        )
        load = await poisson(
            strait.port, _numbered(job, sent), rate=RATE, seconds=stage.scale.latency_seconds
        )
        await strait.drained(seconds=_DRAIN_SECONDS)
    if len(seen) != len(load.latencies):
        raise ProgramFailed(f"{len(load.latencies)} runs were triggered, {len(seen)} were heard of")
    return load, seen


def _numbered(job: Job, sent: dict[int, float]) -> Callable[[int], bytes]:
    def build(number: int) -> bytes:
        request = job.trigger(b'{"number":%d,"email":"someone@example.com"}' % number)
        sent[number] = perf_counter()
        return request

    return build
