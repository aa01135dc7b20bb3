"""Waiting for a run to end (cli 7).

The first looks come quickly, because most runs are short; then the distance
between two looks grows to the interval.
"""

from collections.abc import Callable, Collection
from typing import Final

from strait_cli import clock
from strait_cli.client import Json
from strait_cli.errors import RunFailed, WaitExpired

FINAL: Final = frozenset(
    {
        "completed",
        "failed",
        "timed_out",
        "crashed",
        "system_failed",
        "canceled",
        "expired",
        "dead_letter",
    }
)
SUCCESS: Final = frozenset({"completed"})

_FIRST_LOOK: Final = 0.2
_GROWTH: Final = 1.5


def watch(  # noqa: PLR0913  each is a decision of the caller
    look: Callable[[], Json],
    *,
    until: Collection[str],
    interval: float,
    limit: float,
    told: Callable[[str], None],
    sleep: Callable[[float], None] = clock.sleep,
) -> Json:
    """Return the run when it is in one of `until`, or in any final status.

    Raises `WaitExpired` after `limit` seconds (0: never). `told` hears every
    change of status.
    """
    deadline = clock.monotonic() + limit
    pause = min(_FIRST_LOOK, interval)
    before = ""
    while True:
        run = look()
        status = str(run.get("status", ""))
        if status != before:
            told(f"{run.get('id', '')} is {status}")
            before = status
        if status in until or status in FINAL:
            return run
        left = deadline - clock.monotonic() if limit else pause
        if left <= 0:
            raise WaitExpired(
                f"the run is still {status} after {limit:g} s",
                suggestion=f"it goes on; see what holds it: strait runs explain {run.get('id')}",
                details={"run_id": run.get("id"), "status": status},
            )
        sleep(min(pause, left))
        pause = min(pause * _GROWTH, interval)


def check_success(run: Json, *, until: Collection[str]) -> None:
    """Raise `RunFailed` for a run that ended, but not as wished.

    The run itself has been shown by then, so the error goes to people only.
    """
    if run.get("status") in until:
        return
    reason = f": {run['error']}" if run.get("error") else ""
    raise RunFailed(
        f"run {run.get('id')} ended {run.get('status')}{reason}",
        suggestion=f"see what happened: strait runs events {run.get('id')}",
        answered=True,
    )
