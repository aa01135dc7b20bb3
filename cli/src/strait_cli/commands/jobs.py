"""`strait jobs`: definitions of what can run (api 9.3)."""

from typing import Annotated, Any, Final

import typer

from strait_cli.client import as_object, segment
from strait_cli.commands.create_job import create
from strait_cli.commands.trigger import trigger
from strait_cli.errors import ConfigError
from strait_cli.inputs import pairs, read_json, read_text
from strait_cli.invocation import Invocation
from strait_cli.output.resources import JOB

app = typer.Typer()
app.command("create")(create)
app.command("trigger")(trigger)

Job = Annotated[str, typer.Argument(metavar="JOB", help="Id or slug.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

# Fields that are text even when their value looks like a number (api 8.1).
_TEXT: Final = frozenset(
    {"name", "slug", "description", "timezone", "endpoint_url", "execution_window_cron"}
)


@app.command("list")
def list_jobs(
    ctx: typer.Context,
    tag: Annotated[str | None, typer.Option(metavar="KEY=VALUE", help="With this tag.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 means all.")] = 0,
) -> None:
    """List the jobs of the project.

    $ strait jobs list --tag team=media
    """
    call = Invocation(ctx)
    [(key, value)] = pairs([tag], flag="--tag").items() if tag else [("", "")]
    call.show_list(JOB, call.client.rows("/v1/jobs", limit=limit, tag_key=key, tag_value=value))


@app.command("get")
def get_job(ctx: typer.Context, job: Job) -> None:
    """Show one job.

    $ strait jobs get resize
    """
    call = Invocation(ctx)
    call.out.item(JOB, call.client.get(f"/v1/jobs/{segment(job)}"))


@app.command("update")
def update_job(
    ctx: typer.Context,
    job: Job,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A field to set; repeat. Values are JSON or text."),
    ] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read a JSON object.")] = False,
) -> None:
    """Change the given fields of a job. Every change is a new version.

    $ strait jobs update resize --field timeout_secs=120 --field enabled=false

    $ echo '{"tags": {"team": "media"}}' | strait jobs update resize --stdin
    """
    call = Invocation(ctx)
    changes: dict[str, Any] = {}
    if stdin:
        document = read_json(read_text("-"), where="standard input")
        if not isinstance(document, dict):
            raise ConfigError("standard input must hold a JSON object")
        changes |= document
    changes |= {key: _typed(key, text) for key, text in pairs(field, flag="--field").items()}
    if not changes:
        raise ConfigError("nothing to change: pass --field key=value or --stdin")
    changed = as_object(call.client.call("PATCH", f"/v1/jobs/{segment(job)}", body=changes))
    call.out.item(JOB, changed)
    call.warn_of_ignored(changes, changed)


@app.command("delete")
def delete_job(ctx: typer.Context, job: Job, yes: Yes = False) -> None:
    """Delete a job that has no unfinished runs.

    $ strait jobs delete resize --yes
    """
    call = Invocation(ctx)
    call.confirm(f"Delete job {job}?", yes=yes)
    call.client.call("DELETE", f"/v1/jobs/{segment(job)}")
    call.out.note(f"deleted job {job}")


@app.command("pause")
def pause_job(
    ctx: typer.Context,
    job: Job,
    reason: Annotated[str | None, typer.Option(help="Why, for the others.")] = None,
    yes: Yes = False,
) -> None:
    """Stop starting runs of a job; queued runs stay queued.

    $ strait jobs pause resize --reason 'disk is full' --yes
    """
    call = Invocation(ctx)
    call.confirm(f"Pause job {job}?", yes=yes)
    body = {"reason": reason} if reason else {}
    call.out.item(JOB, call.client.post(f"/v1/jobs/{segment(job)}/pause", body))


@app.command("resume")
def resume_job(ctx: typer.Context, job: Job, yes: Yes = False) -> None:
    """Undo a pause; what is queued starts.

    $ strait jobs resume resize --yes
    """
    call = Invocation(ctx)
    call.confirm(f"Resume job {job}?", yes=yes)
    call.out.item(JOB, call.client.post(f"/v1/jobs/{segment(job)}/resume", {}))


def _typed(key: str, text: str) -> Any:
    """Read a field's value: JSON where it is JSON, otherwise the text itself."""
    if key in _TEXT:
        return text
    try:
        return read_json(text, where=key)
    except ConfigError:
        return text
