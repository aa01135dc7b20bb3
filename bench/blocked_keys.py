"""A hundred thousand runs that wait for two concurrency keys must not slow down anybody else."""

import asyncio
from statistics import median
from typing import Final

from bench import endpoint
from bench.drive import Drive, drive
from bench.processes import ProgramFailed
from bench.report import Figure, Section, at_least, progress, rates
from bench.stage import Stage
from bench.strait import Strait

KEYS: Final = ("left", "right")
_HOLD_SECONDS: Final = 86_400
_PATIENCE_SECONDS: Final = 30.0


async def measure(stage: Stage) -> Section:
    blocked: list[Drive] = []
    free: list[Drive] = []
    for turn in range(stage.scale.rounds):
        progress(f"blocked keys: turn {turn + 1}")
        async with stage.strait() as strait:
            free.append(await _others(stage, strait))
        blocked.append(await _beside_blocked(stage))
    return Section(
        "blocked keys",
        [
            Figure(
                what=(
                    f"{stage.scale.blocked_runs:,} runs blocked on two keys:"
                    " other jobs' rate ÷ without"
                ),
                value=median(done.rate for done in blocked) / median(done.rate for done in free),
                bound=at_least(0.95),
                neighbours=max(done.spent.neighbours for done in (*blocked, *free)),
                by_cpu=median(done.micros for done in free)
                / median(done.micros for done in blocked),
                note=f"{rates(blocked)} against {rates(free)}",
            )
        ],
        {"blocked": [done.told() for done in blocked], "free": [done.told() for done in free]},
    )


async def _beside_blocked(stage: Stage) -> Drive:
    """Two runs hold the keys and never end; all others of their job wait."""
    held = asyncio.Event()
    calls = 0

    def hear(_path: str, _body: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == len(KEYS):
            held.set()

    async with endpoint.in_process(hear) as url, stage.strait(worker=False) as strait:
        settings = {
            "max_concurrency_per_key": 1,
            "timeout_secs": _HOLD_SECONDS,
            "run_ttl_secs": _HOLD_SECONDS,
        }
        holder = await strait.job(url, settings)
        await strait.fill(holder, stage.scale.blocked_runs, KEYS)
        await strait.start_worker()
        await asyncio.wait_for(held.wait(), _PATIENCE_SECONDS)
        done = await _others(stage, strait, beside=await strait.leases())
        if calls != len(KEYS):
            raise ProgramFailed(f"{calls} runs were sent at once for {len(KEYS)} keys")
        return done


async def _others(stage: Stage, strait: Strait, *, beside: int = 0) -> Drive:
    job = await strait.job(stage.endpoint.url)
    seconds = stage.scale.seconds
    return await drive(stage, strait, job.triggers(), seconds=seconds, beside=beside)
