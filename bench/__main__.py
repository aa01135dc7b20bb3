"""`python -m bench [NAME...] [--quick]`: measure, print, write down."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import uvloop

from bench import (
    backlog,
    blocked_keys,
    conditions,
    drain,
    end_to_end,
    features,
    held_horizon,
    lanes,
    latency,
    report,
)
from bench.report import Section, Verdict
from bench.scale import FULL, QUICK, Scale
from bench.stage import Stage, standing

MEASUREMENTS: Final[Mapping[str, Callable[[Stage], Awaitable[Section]]]] = {
    "end-to-end": end_to_end.measure,
    "held-horizon": held_horizon.measure,
    "latency": latency.measure,
    "drain": drain.measure,
    "backlog": backlog.measure,
    "blocked-keys": blocked_keys.measure,
    "lanes": lanes.measure,
    "features": features.measure,
}
_LONGEST_SECONDS: Final = 1800.0
_INTERRUPTED: Final = 130


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Strait.")
    parser.add_argument("name", nargs="*", help=f"what to measure: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes: see that it works")
    arguments = parser.parse_args()
    if strange := set(arguments.name) - MEASUREMENTS.keys():
        parser.error(f"no such measurement: {', '.join(sorted(strange))}")
    names = arguments.name or list(MEASUREMENTS)
    try:
        return uvloop.run(_bench(names, QUICK if arguments.quick else FULL))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _INTERRUPTED  # and everything that was started has been ended


async def _bench(names: Sequence[str], scale: Scale) -> int:
    """Measure one after the other. 1: something failed, or missed its bound on a quiet machine."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - this is one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    sections: list[Section] = []
    failed = False
    async with standing(scale) as stage:
        found = conditions.find(stage)
        report.show_conditions(found)
        for name in names:
            report.progress(f"{name} …")
            try:
                async with asyncio.timeout(_LONGEST_SECONDS):
                    section = await MEASUREMENTS[name](stage)
            except Exception as error:  # noqa: BLE001 - the other measurements go on
                report.show_failure(name, error)
                failed = True
            else:
                report.show(section)
                sections.append(section)
    report.finish(found, sections)
    missed = any(
        figure.verdict is Verdict.MISSED for section in sections for figure in section.figures
    )
    return int(failed or (missed and scale is not QUICK))


if __name__ == "__main__":
    sys.exit(main())
