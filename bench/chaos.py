"""`python -m bench.chaos --minutes N --seed S`: kill everything, again and again, and look.

The journeys of `make test` kill a few times; this goes on for minutes. Workers,
the API, PostgreSQL and single backends of it get SIGKILL at random moments
under load: each kind by itself, so that recovery can be timed, then PostgreSQL
is away for half a minute, and then all of them die in random order. At the end
the auditor looks at every run; the exit code is 1 if anything is not as it must be.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import uvloop

from strait_server.base.clock import monotonic
from strait_server.base.ids import uniform

# The stage and the auditor belong to the tests, which are no installed package.
sys.path.append(str(Path(__file__).parents[1] / "server" / "tests"))

from journeys.stage import standing
from journeys.storm import Fault, Storm, say

_WORKERS: Final = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description="Kill and look.")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long, at least")
    parser.add_argument("--seed", type=int, help="brings back who is killed, and in which order")
    parser.add_argument("--kills", type=int, default=20, help="how often each kind, at least")
    parser.add_argument("--outage", type=float, default=30.0, help="seconds without PostgreSQL")
    given = parser.parse_args()
    seed = int(uniform(0, 1_000_000)) if given.seed is None else given.seed
    return uvloop.run(_chaos(seed, given.minutes * 60, given.kills, given.outage))


async def _chaos(seed: int, seconds: float, kills: int, outage: float) -> int:
    say(f"chaos for {seconds:g} seconds, seed {seed}")
    async with standing() as stage:
        storm = Storm(stage, seed)
        await stage.postgres.is_settled()
        await storm.rage(lambda: _faults(storm, seconds, kills, outage), workers=_WORKERS)
        say("no more faults: waiting until all is at rest")
        found = await storm.verdict()
        say("\n".join(storm.told()))
    for rule, what in found:
        say(f"VIOLATED: {rule}: {what}")
    say(
        f"the auditor found {len(found)} violations" if found else "the auditor found nothing wrong"
    )
    return int(bool(found))


async def _faults(storm: Storm, seconds: float, kills: int, outage: float) -> None:
    began = monotonic()
    for fault in Fault:
        for _ in range(kills):
            await _one(storm, fault, began)
    await _one(storm, Fault.POSTGRES, began, outage=outage)
    while monotonic() - began < seconds:
        await _one(storm, storm.dice.choice(list(Fault)), began)


async def _one(storm: Storm, fault: Fault, began: float, *, outage: float = 0.0) -> None:
    kill = await storm.one(fault, outage=outage)
    lost = f", {len(kill.lost)} calls lost" if fault is Fault.WORKER else ""
    away = f", away for {outage:g} s" if outage else ""
    say(
        f"{kill.at - began:6.1f} s  {fault} killed{lost}{away},"
        f" there again after {monotonic() - kill.at:.1f} s;"
        f" {len(storm.customers.promised)} runs promised, {len(storm.seen)} violations seen"
    )


if __name__ == "__main__":
    sys.exit(main())
