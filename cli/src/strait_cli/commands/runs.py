"""`strait runs`: one execution of one job each (api 9.9, 9.10)."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final

import typer

from strait_cli import clock
from strait_cli.client import Json, segment
from strait_cli.commands.watching import WaitTimeout, follow
from strait_cli.durations import parse_duration
from strait_cli.errors import CliError, ConfigError
from strait_cli.inputs import pairs
from strait_cli.invocation import Invocation
from strait_cli.output.columns import worded
from strait_cli.output.resources import EVENT, GATE, OUTCOME, RUN

app = typer.Typer()

_BULK: Final = 100

Run = Annotated[str, typer.Argument(metavar="RUN", help="Its id.")]
Limit = Annotated[int, typer.Option(min=0, help="At most so many; 0 means all.")]


class Status(StrEnum):
    DELAYED = "delayed"
    QUEUED = "queued"
    DEQUEUED = "dequeued"
    EXECUTING = "executing"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    SYSTEM_FAILED = "system_failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    DEAD_LETTER = "dead_letter"


_UNFINISHED: Final = (
    Status.DELAYED,
    Status.QUEUED,
    Status.DEQUEUED,
    Status.EXECUTING,
    Status.WAITING,
)


class Level(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@app.command("list")
def list_runs(
    ctx: typer.Context,
    status: Annotated[list[Status] | None, typer.Option(help="In this status; repeat.")] = None,
    job: Annotated[str | None, typer.Option(metavar="JOB", help="Of this job.")] = None,
    tag: Annotated[str | None, typer.Option(metavar="KEY=VALUE", help="With this tag.")] = None,
    since: Annotated[
        float | None,
        typer.Option(parser=parse_duration, metavar="DURATION", help="Created within, as 2h."),
    ] = None,
    limit: Limit = 50,
) -> None:
    """List runs, newest first.

    $ strait runs list --status failed --status dead_letter --since 1h
    """
    call = Invocation(ctx)
    [(key, value)] = pairs([tag], flag="--tag").items() if tag else [("", "")]
    after = (clock.now() - timedelta(seconds=since)).isoformat() if since else None
    call.show_list(
        RUN,
        call.client.rows(
            "/v1/runs",
            limit=limit,
            statuses=[str(each) for each in status] if status else None,
            job_id=job,
            tag_key=key,
            tag_value=value,
            created_after=after,
        ),
    )


@app.command("get")
def get_run(ctx: typer.Context, run: Run) -> None:
    """Show one run.

    $ strait runs get 0197a2b4-0000-7000-8000-000000000001
    """
    call = Invocation(ctx)
    call.out.item(RUN, call.client.get(f"/v1/runs/{segment(run)}"))


@app.command("watch")
def watch_run(
    ctx: typer.Context,
    run: Run,
    interval: Annotated[
        float | None,
        typer.Option(
            parser=parse_duration,
            metavar="DURATION",
            show_default="2s",
            help="Longest distance between two looks.",
        ),
    ] = None,
    until: Annotated[
        str, typer.Option(metavar="STATUS,…", help="What counts as success.")
    ] = "completed",
    wait_timeout: WaitTimeout = None,
) -> None:
    """Wait for a run to end, and print it.

    Ends with 10 when the run ended otherwise, with 9 when it did not end in time.

    $ strait runs watch 0197a2b4-0000-7000-8000-000000000001 --wait-timeout 10m
    """
    follow(
        Invocation(ctx), run, limit=wait_timeout, interval=interval, until=frozenset(_states(until))
    )


@app.command("cancel")
def cancel_runs(
    ctx: typer.Context,
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN…", help="Their ids.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that have not finished.")] = False,
    status: Annotated[Status | None, typer.Option(help="With --all: in this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="With --all: at most so many.")] = 100,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Cancel runs that have not finished. Fails when any of them could not be.

    $ strait runs cancel 0197a2b4-0000-7000-8000-000000000001

    $ strait runs cancel --all --status queued --yes
    """
    call = Invocation(ctx)
    if every == bool(runs):
        raise ConfigError("name the runs to cancel, or pass --all")
    if runs and len(runs) == 1:
        call.out.item(RUN, call.client.call("DELETE", f"/v1/runs/{segment(runs[0])}"))
        return
    chosen = runs or _unfinished(call, status, limit)
    if chosen:
        call.confirm(f"Cancel {len(chosen)} runs?", yes=yes)
    results: list[Json] = []
    for start in range(0, len(chosen), _BULK):
        body = {"run_ids": chosen[start : start + _BULK]}
        results += call.client.post("/v1/runs/bulk-cancel", body).get("results") or []
    call.out.rows(OUTCOME, results)
    missed = [result for result in results if result.get("error")]
    if missed:
        raise CliError(f"{len(missed)} of {len(chosen)} runs were not canceled", answered=True)


@app.command("replay")
def replay_run(
    ctx: typer.Context,
    run: Run,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end of the new run.")] = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Start a new run with the payload of one that failed.

    $ strait runs replay 0197a2b4-0000-7000-8000-000000000001 --wait
    """
    call = Invocation(ctx)
    fresh = call.client.post(f"/v1/runs/{segment(run)}/replay")
    if wait:
        follow(call, str(fresh["id"]), limit=wait_timeout)
    else:
        call.out.item(RUN, fresh)


@app.command("explain")
def explain_run(ctx: typer.Context, run: Run) -> None:
    """Say why a run does not move: which gate holds it, who, and until when.

    $ strait runs explain 0197a2b4-0000-7000-8000-000000000001
    """
    call = Invocation(ctx)
    answer = call.client.get(f"/v1/runs/{segment(run)}/explain")
    if not call.out.for_people:
        call.out.item(RUN, answer)
        return
    call.out.line(worded(f"{run} is {answer.get('status')}: {answer.get('summary')}"))
    gates = answer.get("gates") or []
    if gates:
        call.out.rows(GATE, gates)


@app.command("logs", hidden=True)
@app.command("events")
def list_events(
    ctx: typer.Context,
    run: Run,
    level: Annotated[Level | None, typer.Option(help="Of this level.")] = None,
    kind: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="As log.")] = None,
    limit: Limit = 0,
) -> None:
    """List what happened in a run, oldest first. Also: strait runs logs.

    $ strait runs events 0197a2b4-0000-7000-8000-000000000001 --level error
    """
    call = Invocation(ctx)
    path = f"/v1/runs/{segment(run)}/events"
    call.show_list(EVENT, call.client.rows(path, limit=limit, level=level, type=kind))


def _states(text: str) -> list[str]:
    states = [state.strip() for state in text.split(",") if state.strip()]
    unknown = [state for state in states if state not in set(Status)]
    if unknown or not states:
        raise ConfigError(f"--until {text!r}: use one or more of {', '.join(Status)}")
    return states


def _unfinished(call: Invocation, status: Status | None, limit: int) -> list[str]:
    wanted = [status] if status else _UNFINISHED
    listing = call.client.rows("/v1/runs", limit=limit, statuses=[str(each) for each in wanted])
    if listing.more:
        call.out.note(f"there are more than {limit}: raise --limit")
    return [str(run["id"]) for run in listing.rows]
