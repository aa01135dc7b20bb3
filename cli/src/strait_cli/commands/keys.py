"""`strait keys`: who may do what (api 9.22)."""

from typing import Annotated

import typer

from strait_cli import ids
from strait_cli.client import segment
from strait_cli.inputs import given
from strait_cli.invocation import Invocation
from strait_cli.output.resources import KEY, NEW_KEY

app = typer.Typer()

Key = Annotated[str, typer.Argument(metavar="KEY", help="Its id.")]


@app.command("create")
def create_key(
    ctx: typer.Context,
    name: Annotated[str, typer.Option(help="What it is for.")],
    scopes: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE,…", help="As jobs:read; repeat, or separate by commas."),
    ] = None,
    expires_in_days: Annotated[int | None, typer.Option(min=1, help="Then it is void.")] = None,
    environment: Annotated[
        str | None, typer.Option(metavar="ID", help="Only for this environment.")
    ] = None,
) -> None:
    """Create a key. It is shown this once and never again.

    $ strait keys create --name ci --scopes jobs:trigger,runs:read --expires-in-days 90
    """
    call = Invocation(ctx)
    body = given(
        {
            "project_id": call.settings.project or None,
            "name": name,
            "scopes": [scope for text in scopes or () for scope in text.split(",") if scope]
            or None,
            "expires_in_days": expires_in_days,
            "environment_id": environment,
        }
    )
    call.out.item(NEW_KEY, call.client.post("/v1/api-keys", body, key=ids.idempotency_key()))
    call.out.note("keep the key now: it cannot be shown again")


@app.command("list")
def list_keys(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 means all.")] = 0,
) -> None:
    """List the keys of the project, revoked ones included.

    $ strait keys list
    """
    call = Invocation(ctx)
    call.show_list(KEY, call.client.rows("/v1/api-keys", limit=limit))


@app.command("rotate")
def rotate_key(
    ctx: typer.Context,
    key: Key,
    grace_period_minutes: Annotated[
        int, typer.Option(min=0, max=10080, help="How long the old one still works.")
    ] = 60,
) -> None:
    """Make the successor of a key; the old one works for a while.

    $ strait keys rotate 0197a2b4-0000-7000-8000-000000000001 --grace-period-minutes 30
    """
    call = Invocation(ctx)
    body = {"grace_period_minutes": grace_period_minutes}
    answer = call.client.post(f"/v1/api-keys/{segment(key)}/rotate", body)
    call.out.item(NEW_KEY, {"id": answer.get("new_key_id")} | answer)
    call.out.note("keep the key now: it cannot be shown again")


@app.command("revoke")
def revoke_key(
    ctx: typer.Context,
    key: Key,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Revoke a key at once, for good.

    $ strait keys revoke 0197a2b4-0000-7000-8000-000000000001 --yes
    """
    call = Invocation(ctx)
    call.confirm(f"Revoke key {key}?", yes=yes)
    call.client.call("DELETE", f"/v1/api-keys/{segment(key)}")
    call.out.note(f"revoked key {key}")
