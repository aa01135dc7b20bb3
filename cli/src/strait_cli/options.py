"""The options every command has (cli 1.1), wherever they stand on the line.

They are declared once, below, and added to every command of the tree; what was
given is remembered in the context's object, where `settings` finds it. No local
option may reuse one of these names. Help shows them once, at the root.
"""

from typing import Annotated, Any, Final

import typer
from typer.core import TyperOption

from strait_cli.durations import parse_duration
from strait_cli.settings import Format

PANEL: Final = "Global options"


def _declaration(  # noqa: PLR0913  one argument per option
    *,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="The server. Variable: STRAIT_SERVER."),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option("--api-key", metavar="KEY", help="The key. Variable: STRAIT_API_KEY."),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option("--project", metavar="ID", help="The project. Variable: STRAIT_PROJECT."),
    ] = None,
    format: Annotated[  # noqa: A002  the option is called --format
        Format | None,
        typer.Option("--format", "-o", help="How data is written. Variable: STRAIT_FORMAT."),
    ] = None,
    no_headers: Annotated[
        bool, typer.Option("--no-headers", help="Leave out the heading of a table.")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="Never colour. Variable: NO_COLOR.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print ids only.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say which calls are made.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", parser=parse_duration, metavar="DURATION", help="Per call; 30s."),
    ] = None,
    ci: Annotated[
        bool, typer.Option("--ci", help="No colour, no prompts. Variables: STRAIT_CI, CI.")
    ] = False,
    non_interactive: Annotated[
        bool, typer.Option("--non-interactive", help="Never ask. STRAIT_NON_INTERACTIVE=1.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Trace the calls and show where a crash happened.")
    ] = False,
) -> None:
    """Hold the declarations; it is never called."""


def _remember(ctx: Any, param: Any, value: Any) -> Any:
    if value is not None and value is not False and ctx.obj is not None:
        ctx.obj[param.name] = value
    return value


def global_options(*, hidden: bool = False) -> list[TyperOption]:
    """Make the options, ready to be added to a command or to several."""
    app = typer.Typer(add_completion=False)
    app.command()(_declaration)
    options: list[TyperOption] = []
    for option in typer.main.get_command(app).params:
        if not isinstance(option, TyperOption):
            raise TypeError(f"{option.name} is not an option")
        option.callback = _remember
        option.expose_value = False
        option.rich_help_panel = PANEL
        option.hidden = hidden
        options.append(option)
    return options
