"""The commands that run the server: they call the server package, if it is installed."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, NoReturn, Protocol, cast

import typer

from strait_cli.errors import CliError, ConfigError, kind_of_exit
from strait_cli.invocation import Invocation
from strait_cli.output.resources import SCHEMA, SETTING


class Report(Protocol):
    """The settings of the server, and what is wrong with them."""

    rows: list[dict[str, str]]
    problems: list[str]


class Prepared(Protocol):
    """What was done to the schema, and what it lacks: names of migrations."""

    applied: list[str]
    pending: list[str]


class ServerCommands(Protocol):
    """What the server package offers."""

    def migrate(self, database_url: str | None, check: bool) -> Prepared: ...

    def config_check(self) -> Report: ...


class Mode(StrEnum):
    ALL = "all"
    API = "api"
    WORKER = "worker"


Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Where it listens.")]
DatabaseUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="PostgreSQL; the embedded one when absent.")
]

config = typer.Typer()


def serve(
    ctx: typer.Context,
    mode: Annotated[Mode | None, typer.Option(help="Which half, or both.")] = None,
    host: Annotated[str | None, typer.Option(help="Where it listens.")] = None,
    port: Port = None,
    database_url: DatabaseUrl = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
) -> None:
    """Run the server until it is told to stop.

    $ strait serve --port 8080 --database-url postgresql://localhost/strait
    """
    Invocation(ctx)
    given = {
        "--mode": mode,
        "--host": host,
        "--port": port,
        "--database-url": database_url,
        "--processes": processes,
    }
    _become("serve", given)


def dev(ctx: typer.Context, port: Port = None) -> None:
    """Run everything with developer defaults.

    $ strait dev
    """
    Invocation(ctx)
    _become("dev", {"--port": port})


def migrate(
    ctx: typer.Context,
    database_url: DatabaseUrl = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail when something is missing.")
    ] = False,
) -> None:
    """Bring the database schema up to date.

    Tells the migrations it has applied, or with --check those that are pending.

    $ strait migrate --check
    """
    call = Invocation(ctx)
    with _server() as server:
        schema = server.migrate(database_url, check)
    status = "pending" if schema.pending else "up_to_date"
    found = {"status": status, "applied": schema.applied, "pending": schema.pending}
    call.out.item(SCHEMA, found)
    if schema.pending:
        raise CliError(
            f"{len(schema.pending)} migrations are pending",
            suggestion="apply them: strait migrate",
            answered=True,
        )


@config.command("check")
def check_config(ctx: typer.Context) -> None:
    """Show every setting of the server and where it comes from; fail when one is wrong.

    $ strait config check
    """
    call = Invocation(ctx)
    with _server() as server:
        found = server.config_check()
    call.out.rows(SETTING, found.rows)
    if found.problems:
        raise ConfigError("the settings are not right", details=found.problems, answered=True)


def _become(verb: str, given: Mapping[str, object]) -> NoReturn:
    """Turn this process into the server: what the command line loaded would only be in its way."""
    _check_installed()
    flags = [
        part for name, value in given.items() if value is not None for part in (name, str(value))
    ]
    os.execv(sys.executable, [sys.executable, "-m", "strait_server", verb, *flags])  # noqa: S606


def _check_installed() -> None:
    if importlib.util.find_spec("strait_server") is None:
        raise ConfigError(
            "the server is not installed beside this command line",
            suggestion="pip install strait-server",
        )


@contextmanager
def _server() -> Generator[ServerCommands]:
    """Import the server; its expected failures become ours."""
    _check_installed()
    commands = importlib.import_module("strait_server.app.commands")
    errors = importlib.import_module("strait_server.base.errors")
    try:
        yield cast("ServerCommands", commands)
    except errors.StraitError as error:
        kind = kind_of_exit(commands.exit_code(error))
        raise kind(error.message, details=[*error.problems]) from error
