"""`strait projects`: what a key belongs to (api 9.2)."""

from typing import Annotated

import typer

from strait_cli import ids
from strait_cli.client import segment
from strait_cli.invocation import Invocation
from strait_cli.output.resources import PROJECT

app = typer.Typer()


@app.command("create")
def create_project(
    ctx: typer.Context,
    project_id: Annotated[str, typer.Option("--id", metavar="ID", help="You choose it.")],
    name: Annotated[str, typer.Option(help="At least two characters.")],
    org: Annotated[str, typer.Option("--org-id", metavar="ID", help="Its organization.")],
) -> None:
    """Create a project, or rename it. Needs the internal secret as the key.

    $ strait projects create --id proj_1 --name Media --org-id org_1
    """
    call = Invocation(ctx)
    body = {"id": project_id, "name": name, "org_id": org}
    call.out.item(PROJECT, call.client.post("/v1/projects", body, key=ids.idempotency_key()))


@app.command("get")
def get_project(
    ctx: typer.Context,
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="Its id.")],
) -> None:
    """Show one project.

    $ strait projects get proj_1
    """
    call = Invocation(ctx)
    call.out.item(PROJECT, call.client.get(f"/v1/projects/{segment(project)}"))


@app.command("list")
def list_projects(
    ctx: typer.Context,
    org: Annotated[
        str | None, typer.Option("--org-id", metavar="ID", help="Of this organization.")
    ] = None,
) -> None:
    """List the projects this key can see.

    $ strait projects list
    """
    call = Invocation(ctx)
    call.show_list(PROJECT, call.client.rows("/v1/projects", org_id=org))
