"""What `runs watch`, `runs replay --wait` and `trigger --wait` share."""

from collections.abc import Collection
from typing import Annotated, Final

import typer

from strait_cli.client import segment
from strait_cli.durations import parse_duration
from strait_cli.invocation import Invocation
from strait_cli.output.resources import RUN
from strait_cli.watching import SUCCESS, check_success, watch

_LIMIT: Final = 300.0
_INTERVAL: Final = 2.0

WaitTimeout = Annotated[
    float | None,
    typer.Option(
        "--wait-timeout",
        parser=parse_duration,
        metavar="DURATION",
        show_default="5m",
        help="Stop waiting after; 0 means never.",
    ),
]


def follow(
    call: Invocation,
    run_id: str,
    *,
    limit: float | None,
    interval: float | None = None,
    until: Collection[str] = SUCCESS,
) -> None:
    """Watch a run to its end and show it; a bad end is an error after that."""
    path = f"/v1/runs/{segment(run_id)}"
    run = watch(
        lambda: call.client.get(path),
        until=until,
        interval=_INTERVAL if interval is None else interval,
        limit=_LIMIT if limit is None else limit,
        told=call.out.note,
    )
    call.out.item(RUN, run)
    check_success(run, until=until)
