"""`strait secrets`: values that jobs receive and nobody can read back (api 9.7)."""

import os
from typing import Annotated

import typer

from strait_cli.client import segment
from strait_cli.errors import ConfigError
from strait_cli.inputs import given, read_text
from strait_cli.invocation import Invocation
from strait_cli.output.resources import SECRET

app = typer.Typer()

Environment = Annotated[str | None, typer.Option(metavar="SLUG", help="Of this environment.")]


@app.command("set")
def set_secret(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="As DATABASE_URL.")],
    value: Annotated[
        str | None, typer.Option(help="Others on this machine can see it; better use the next.")
    ] = None,
    value_from_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take it from this variable.")
    ] = None,
    value_from_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Take it from here, - for standard input.")
    ] = None,
    environment: Environment = None,
    job: Annotated[str | None, typer.Option(metavar="JOB", help="For this job only.")] = None,
) -> None:
    """Store a secret, or replace its value. Without a source it is asked for.

    $ strait secrets set DATABASE_URL --value-from-env DATABASE_URL --environment staging
    """
    call = Invocation(ctx)
    body = given(
        {
            "project_id": call.settings.project or None,
            "secret_key": key,
            "environment": environment,
            "job_id": job,
        }
    )
    body["value"] = _value(call, value, value_from_env, value_from_file)
    call.out.item(SECRET, call.client.post("/v1/secrets", body))


@app.command("list")
def list_secrets(
    ctx: typer.Context,
    environment: Environment = None,
    job: Annotated[str | None, typer.Option(metavar="JOB", help="Of this job.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 means all.")] = 0,
) -> None:
    """List the secrets: names and versions, never values.

    $ strait secrets list --environment staging
    """
    call = Invocation(ctx)
    call.show_list(
        SECRET,
        call.client.rows("/v1/secrets", limit=limit, environment=environment, job_id=job),
    )


@app.command("delete")
def delete_secret(
    ctx: typer.Context,
    secret: Annotated[str, typer.Argument(metavar="SECRET", help="Its id.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a secret.

    $ strait secrets delete 0197a2b4-0000-7000-8000-000000000001 --yes
    """
    call = Invocation(ctx)
    call.confirm(f"Delete secret {secret}?", yes=yes)
    call.client.call("DELETE", f"/v1/secrets/{segment(secret)}")
    call.out.note(f"deleted secret {secret}")


def _value(call: Invocation, text: str | None, variable: str | None, place: str | None) -> str:
    sources = [source for source in (text, variable, place) if source is not None]
    if len(sources) > 1:
        raise ConfigError("--value, --value-from-env and --value-from-file exclude each other")
    if text is not None:
        return text
    if variable is not None:
        if variable not in os.environ:
            raise ConfigError(f"the variable {variable} is not set")
        return os.environ[variable]
    if place is not None:
        return read_text(place).removesuffix("\n")
    return call.ask_hidden("value", flag="--value-from-env or --value-from-file")
