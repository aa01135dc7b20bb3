"""`strait completion` and `strait version`."""

import platform
from typing import Annotated

import typer

from strait_cli.completion import SCRIPTS, Shell
from strait_cli.invocation import Invocation
from strait_cli.output.resources import VERSION as COLUMNS
from strait_cli.tree import leaves
from strait_cli.version import VERSION


def completion(
    ctx: typer.Context,
    shell: Annotated[Shell, typer.Argument(help="For which shell.")],
) -> None:
    """Print a completion script.

    $ strait completion bash
    """
    Invocation(ctx).out.line(SCRIPTS[shell].rstrip("\n"))


def version(
    ctx: typer.Context,
    short: Annotated[bool, typer.Option("--short", help="The number alone.")] = False,
    check_server: Annotated[
        bool, typer.Option("--check-server", help="Ask the server for its version, too.")
    ] = False,
) -> None:
    """Print the version.

    $ strait version --short
    """
    call = Invocation(ctx)
    if short:
        call.out.line(VERSION)
        return
    answer: dict[str, str | int] = {
        "name": "strait",
        "version": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "commands": sum(1 for _ in leaves()),
    }
    if check_server:
        answer["server_version"] = str(call.client.get("/health").get("version", "unknown"))
    call.out.item(COLUMNS, answer)
