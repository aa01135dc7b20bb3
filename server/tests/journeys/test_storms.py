"""Processes are killed at random moments under load (behaviour Appendix C, D1 to D5, T23q).

Each test is a storm; `STRAIT_SEED` brings back the one whose seed was printed.
"""

import os
import random

from journeys.stage import check
from journeys.storm import Fault, Storm, say

SEED = int(os.environ.get("STRAIT_SEED") or random.SystemRandom().randrange(10_000))


async def survives(stage, faults):
    """Have the faults happen in this order, at random moments. Answers the storm."""
    storm = Storm(stage, SEED)
    await storm.rage(lambda: happen(storm, faults))
    found = await storm.verdict()
    say("\n".join((f"\nseed {SEED}", *storm.told())))
    check(found)
    return storm


async def happen(storm, faults):
    for fault in faults:
        await storm.one(fault)


async def test_workers_are_killed_under_load(settled):
    """Their runs go on, at the latest ten seconds later."""
    storm = await survives(settled, [Fault.WORKER] * 3)

    assert storm.rescued_after
    assert max(storm.rescued_after) < 10


async def test_the_api_is_killed_under_load(stage):
    await survives(stage, [Fault.API] * 2)


async def test_postgres_is_killed_under_load(wreck):
    await survives(wreck, [Fault.POSTGRES, Fault.BACKEND, Fault.POSTGRES])


async def test_everybody_is_killed_under_load(wreck):
    faults = [*Fault, Fault.WORKER, Fault.API]
    random.Random(SEED).shuffle(faults)

    await survives(wreck, faults)
