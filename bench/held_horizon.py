"""The same while a forgotten transaction keeps PostgreSQL from cleaning up.

A reader that sits in an open transaction, a `pg_dump`, a replica with
feedback: none of the dead rows a queue leaves behind can be removed then, and
queues that walk over them get slower by the minute.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from statistics import median

from bench.drive import Drive, drive
from bench.postgres import connection
from bench.report import Figure, Section, at_least, progress, rates
from bench.stage import Stage


async def measure(stage: Stage) -> Section:
    free: list[Drive] = []
    held: list[Drive] = []
    for turn in range(min(stage.scale.rounds, 2)):
        progress(f"held horizon: turn {turn + 1}")
        free.append(await _one(stage, hold=False))
        held.append(await _one(stage, hold=True))
    window = stage.scale.window_seconds
    windows = [done.watch.windows(window) for done in held]
    neighbours = max(done.spent.neighbours for done in (*free, *held))
    return Section(
        "held xmin horizon",
        [
            Figure(
                what="rate with a held xmin ÷ free rate",
                value=median(done.rate for done in held) / median(done.rate for done in free),
                bound=at_least(0.85),
                neighbours=neighbours,
                by_cpu=median(done.micros for done in free) / median(done.micros for done in held),
                note=f"{rates(held)} against {rates(free)}",
            ),
            Figure(
                what=f"held: last {window} s ÷ first {window} s",
                value=median(seen[-1] / seen[0] for seen in windows),
                bound=at_least(0.8),
                neighbours=neighbours,
                note="; ".join(", ".join(f"{rate:,.0f}" for rate in seen) for seen in windows),
            ),
        ],
        {"free": [done.told() for done in free], "held": [done.told() for done in held]},
    )


async def _one(stage: Stage, *, hold: bool) -> Drive:
    async with stage.strait() as strait:
        job = await strait.job(stage.endpoint.url)
        seconds = stage.scale.sustained_seconds
        if not hold:
            return await drive(stage, strait, job.triggers(), seconds=seconds)
        async with _horizon(strait.dsn):
            return await drive(stage, strait, job.triggers(), seconds=seconds)


@asynccontextmanager
async def _horizon(dsn: str) -> AsyncGenerator[None]:
    """Hold a snapshot as long as the block lasts."""
    async with connection(dsn) as raw, raw.transaction(isolation="repeatable_read"):
        await raw.execute("select count(*) from pg_class")
        yield
