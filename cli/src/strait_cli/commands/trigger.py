"""`strait trigger` and `strait jobs trigger`: start a run, and perhaps wait for it (api 9.4)."""

import math
from datetime import timedelta
from typing import Annotated, Any

import typer

from strait_cli import clock, ids
from strait_cli.client import segment
from strait_cli.commands.watching import WaitTimeout, follow
from strait_cli.durations import parse_duration, parse_instant
from strait_cli.errors import ConfigError
from strait_cli.inputs import given, pairs, read_json, read_text
from strait_cli.invocation import Invocation
from strait_cli.output.resources import TRIGGERED


def trigger(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Id or slug.")],
    payload: Annotated[str | None, typer.Option(metavar="JSON", help="What the job gets.")] = None,
    payload_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="The same, - for standard input.")
    ] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=10, help="Higher goes first.")] = None,
    delay: Annotated[
        float | None,
        typer.Option(parser=parse_duration, metavar="DURATION", help="Start after, such as 10m."),
    ] = None,
    scheduled_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Start at, such as 2026-01-31T08:00:00Z.")
    ] = None,
    ttl: Annotated[
        float | None,
        typer.Option(parser=parse_duration, metavar="DURATION", help="Expire when not done by."),
    ] = None,
    concurrency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Runs with the same key share a limit.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label; repeat.")
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="One is made when absent.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, but start nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, print the run.")] = False,
    wait_timeout: WaitTimeout = None,
) -> None:
    """Start a run of a job.

    With --wait the run is printed when it has ended, and the exit code tells how.

    $ strait trigger resize --payload '{"image": 42}' --wait

    $ strait jobs trigger resize --payload-file - --delay 10m --tag src=upload
    """
    call = Invocation(ctx)
    if wait and dry_run:
        raise ConfigError("--wait and --dry-run exclude each other: a dry run has no end")
    body = given(
        {
            "payload": _payload(payload, payload_file),
            "priority": priority,
            "scheduled_at": _start(delay, scheduled_at),
            "ttl_secs": None if ttl is None else math.ceil(ttl),
            "concurrency_key": concurrency_key,
            "tags": pairs(tag, flag="--tag") or None,
            "dry_run": dry_run or None,
        }
    )
    key = idempotency_key or ids.idempotency_key()
    answer = call.client.post(f"/v1/jobs/{segment(job)}/trigger", body, key=key)
    if not wait:
        call.out.item(TRIGGERED, answer)
    else:
        follow(call, str(answer["id"]), limit=wait_timeout)


def _payload(text: str | None, place: str | None) -> Any:
    if text is not None and place is not None:
        raise ConfigError("--payload and --payload-file exclude each other")
    if place is not None:
        return read_json(read_text(place), where=place)
    return None if text is None else read_json(text, where="--payload")


def _start(delay: float | None, scheduled_at: str | None) -> str | None:
    if delay is not None and scheduled_at:
        raise ConfigError("--delay and --scheduled-at exclude each other")
    if delay is not None:
        return (clock.now() + timedelta(seconds=delay)).isoformat()
    if not scheduled_at:
        return None
    try:
        return parse_instant(scheduled_at).isoformat()
    except ValueError as error:
        raise ConfigError(f"--scheduled-at {error}") from error
