"""Let a contender drain a queue that was filled beforehand, watched at the endpoint."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct

from bench.accounts import Meter, Spent
from bench.peers.contenders import FOLDER, Contender
from bench.peers.install import NotInstalled
from bench.peers.redis_server import running as running_redis
from bench.processes import Program, ProgramFailed
from bench.stage import Stage
from bench.strait import DRAINING, PAYLOAD, Strait

_LOOK_EVERY: Final = 0.01
_FIRST_SECONDS: Final = 60.0
_FILL_SECONDS: Final = 300.0
_DRAIN_SECONDS: Final = 60.0


class Drained(Struct, frozen=True):
    """From the first run that reached the endpoint to the last: what came between."""

    runs: int
    spent: Spent

    @property
    def rate(self) -> float:
        return self.runs / self.spent.seconds

    @property
    def micros(self) -> float:
        """CPU per run without the endpoint's."""
        micros = self.spent.micros_per(self.runs)
        return sum(taken for name, taken in micros.items() if name != "endpoint")

    def told(self) -> dict[str, object]:
        return {
            "runs": self.runs,
            "seconds": self.spent.seconds,
            "runs_per_second": self.rate,
            "cpu_us_per_run": self.micros,
            "cpu_us_per_run_by_process": self.spent.micros_per(self.runs),
            "neighbours_cores": self.spent.neighbours,
        }


async def strait(stage: Stage) -> Drained:
    """Time ours: until the last completion is committed."""
    size = stage.scale.drain_runs
    async with stage.strait(settings=DRAINING, worker=False) as product:
        job = await product.job(stage.endpoint.url)
        await product.fill(job, size)
        before = await stage.endpoint.count()
        await product.start_worker()
        drained = await _watch(
            stage,
            size,
            before=before,
            meter=lambda: stage.meter(product),
            check=product.check,
            ended=lambda: product.drained(seconds=_DRAIN_SECONDS),
        )
        await _check_records(product, size)
        return drained


async def peer(stage: Stage, contender: Contender) -> Drained:
    """Time a contender: until its last job reached the endpoint."""
    programs = await asyncio.to_thread(contender.bring_in)
    size = stage.scale.slow_drain_runs if contender.slow else stage.scale.drain_runs
    folder = stage.room("peer")
    dsn = await stage.postgres.create("peer")
    try:
        await stage.postgres.settle()
        async with running_redis(folder) as redis:
            if contender.redis and redis is None:
                raise NotInstalled("redis-server is not installed")
            env = {
                "DATABASE_URL": dsn,
                "REDIS_URL": redis.url if redis else "",
                "RQ_REDIS_URL": redis.url if redis else "",
                "ENDPOINT_URL": stage.endpoint.url,
                "PAYLOAD": PAYLOAD.decode(),
                "PYTHONPATH": str(FOLDER),
            }
            pids = {"postgres": stage.postgres.pid, "endpoint": stage.endpoint.pid}
            if contender.redis and redis is not None:
                pids["redis"] = redis.pid
            start = Starter(contender.name, programs, env, folder)
            return await _drain(stage, contender, size, start, pids)
    finally:
        await stage.postgres.drop("peer")


class Starter(NamedTuple):
    """Starts programs of a contender's environment."""

    name: str
    programs: Path
    env: Mapping[str, str]
    logs: Path

    def __call__(self, command: tuple[str, ...]) -> Program:
        log = self.logs / f"{self.name}.log"
        return Program(
            [self.programs / command[0], *command[1:]], log=log, env=self.env, folder=FOLDER
        )

    async def run(self, command: tuple[str, ...]) -> None:
        """Wait for its end."""
        program = self(command)
        try:
            await program.done(seconds=_FILL_SECONDS)
        finally:
            await program.stop()


async def _drain(
    stage: Stage, contender: Contender, size: int, start: Starter, pids: Mapping[str, int]
) -> Drained:
    if contender.prepare is not None:
        await start.run(contender.prepare)
    await start.run((*contender.fill, str(size)))
    before = await stage.endpoint.count()
    worker = start(contender.work)
    try:
        return await _watch(
            stage,
            size,
            before=before,
            meter=lambda: Meter({"worker": worker.pid, **pids}),
            check=worker.check,
        )
    finally:
        await worker.stop()


async def _watch(
    stage: Stage,
    size: int,
    *,
    before: int,
    meter: Callable[[], Meter],
    check: Callable[[], None],
    ended: Callable[[], Awaitable[None]] | None = None,
) -> Drained:
    """Count from the first run seen at the endpoint, to the last or until time is up."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _FIRST_SECONDS
    while (first := await stage.endpoint.count() - before) <= 0:
        check()
        if clock() > deadline:
            raise ProgramFailed("no run reached the endpoint")
        await asyncio.sleep(_LOOK_EVERY)
    counting, deadline, seen = meter(), clock() + stage.scale.drain_seconds, first
    while seen < size and clock() < deadline:
        await asyncio.sleep(_LOOK_EVERY)
        check()
        seen = await stage.endpoint.count() - before
    if ended is not None and seen >= size:
        await ended()
    return Drained(seen - first, counting.spent())


async def _check_records(product: Strait, size: int) -> None:
    counts = await product.counts()
    if counts != {"completed": size}:
        raise ProgramFailed(f"{size} runs were triggered, {counts} is there")
