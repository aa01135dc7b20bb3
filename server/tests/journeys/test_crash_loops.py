"""PostgreSQL crashes again and again, and recovery goes on all the same (behaviour 4.6, 8.4)."""

import asyncio
import time

from journeys.endpoint import works_for
from journeys.machine import eventually
from journeys.storm import say

UP = 2.0  # seconds between two crashes
ENOUGH = 12.0  # seconds of being up, in all: twice what a worker is given to come back
RUNS = 3


async def test_a_server_that_crashes_every_two_seconds_keeps_nobody_from_being_rescued(wreck):
    """The runs of a worker that was killed are sent again; those of the living are left alone."""
    told = asyncio.Event()

    async def when_told(visit):
        await told.wait()
        visit.answer()

    wreck.endpoint.play("orphaned", works_for(60, attempts=1))
    wreck.endpoint.play("kept", when_told)
    await wreck.job("orphaned", retry_strategy="fixed")
    await wreck.job("kept")
    doomed = await wreck.start_worker()
    await wreck.trigger("orphaned", RUNS)
    await eventually(lambda: are_executing(wreck, "orphaned"), within=5)
    await wreck.crash_postgres()
    wreck.kill(doomed)
    await wreck.postgres.revive()
    living = await asyncio.gather(*(wreck.start_worker() for _ in range(2)))
    await wreck.trigger("kept", RUNS)
    await eventually(lambda: are_executing(wreck, "kept"), within=5)

    up = 0.0
    while not are_back(wreck):
        assert up < ENOUGH, f"not rescued within {up:.1f} s of being up"
        await wreck.crash_postgres()
        await wreck.postgres.revive()
        began = time.monotonic()
        await until(lambda: are_back(wreck), at_most=UP)
        up += time.monotonic() - began

    say(f"lost runs sent again after {up:.1f} s of being up")
    told.set()
    await wreck.at_rest()
    assert {run["attempt"] for run in await wreck.runs("orphaned")} == {2}
    assert [call.attempt for call in wreck.endpoint.calls_to("kept")] == [1] * RUNS
    for worker in living:
        assert [line["msg"] for line in worker.said()].count("worker registered") == 1


async def are_executing(stage, job):
    runs = await stage.runs(job)
    return all(run["status"] == "executing" for run in runs)


def are_back(stage):
    return len(stage.endpoint.calls_to("orphaned")) == 2 * RUNS


async def until(true, *, at_most):
    """Wait for something to be true, or for as long."""
    deadline = time.monotonic() + at_most
    while not true() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
