"""`strait stats` and `strait health` (api 9.1)."""

from typing import Annotated

import typer

from strait_cli.client import as_object
from strait_cli.errors import CliError
from strait_cli.invocation import Invocation
from strait_cli.output.resources import HEALTH, STATS


def stats(ctx: typer.Context) -> None:
    """Count queued, executing and delayed runs.

    $ strait stats -o compact
    """
    call = Invocation(ctx)
    call.out.item(STATS, call.client.get("/v1/stats"))


def health(
    ctx: typer.Context,
    ready: Annotated[
        bool, typer.Option("--ready", help="Whether it can do work: its parts, one by one.")
    ] = False,
) -> None:
    """Ask whether the server is well.

    Needs no key; fails when the server is down.

    $ strait health --ready
    """
    call = Invocation(ctx)
    path = "/health/ready" if ready else "/health"
    answer = as_object(call.client.call("GET", path, patient=False))
    call.out.item(HEALTH, answer)
    if answer.get("status") == "down":
        raise CliError("the server says it is down", answered=True)
