"""`strait dlq`: runs that exhausted their attempts (api 9.10)."""

from typing import Annotated, Final

import typer

from strait_cli.client import Json, segment
from strait_cli.errors import CliError, ConfigError
from strait_cli.invocation import Invocation
from strait_cli.output.resources import RUN

app = typer.Typer()

_BULK: Final = 500


@app.command("list")
def list_dead(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 means all.")] = 50,
) -> None:
    """List the dead letters, newest first.

    $ strait dlq list -o jsonl
    """
    call = Invocation(ctx)
    call.show_list(RUN, call.client.rows("/v1/runs/dlq", limit=limit))


@app.command("replay")
def replay_dead(
    ctx: typer.Context,
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN…", help="Their ids.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Put dead letters back in the queue. Fails when any of them could not be.

    $ strait dlq replay 0197a2b4-0000-7000-8000-000000000001

    $ strait dlq replay --all --yes
    """
    call = Invocation(ctx)
    if every == bool(runs):
        raise ConfigError("name the runs to replay, or pass --all")
    if runs and len(runs) == 1:
        call.out.item(RUN, call.client.post(f"/v1/runs/{segment(runs[0])}/dlq-replay"))
        return
    chosen = runs or _dead(call)
    if every and chosen:
        call.confirm(f"Replay {len(chosen)} dead letters?", yes=yes)
    replayed: list[Json] = []
    for start in range(0, len(chosen), _BULK):
        body = {"run_ids": chosen[start : start + _BULK]}
        replayed += call.client.post("/v1/runs/bulk-dlq-replay", body).get("replayed") or []
    call.out.rows(RUN, replayed)
    if len(replayed) < len(chosen):
        missed = len(chosen) - len(replayed)
        raise CliError(f"{missed} of {len(chosen)} were not replayed", answered=True)


def _dead(call: Invocation) -> list[str]:
    listing = call.client.rows("/v1/runs/dlq")
    if listing.more:
        call.out.note(f"there are more than {len(listing.rows)}: run it again")
    return [str(run["id"]) for run in listing.rows]
