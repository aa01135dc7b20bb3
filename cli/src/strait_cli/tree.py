"""Which commands there are.

The table names every top-level command, its place on the help screen (cli 13)
and its home. A home is imported when its command is used, not when it is listed:
that keeps completion within its budget however many commands there will be.
"""

import importlib
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from strait_cli.options import global_options


class Entry(NamedTuple):
    """A top-level command; `home` is `module:name` below `strait_cli.commands`."""

    panel: str
    name: str
    home: str
    help: str
    hidden: bool = False


ENTRIES: Final = (
    Entry("Start", "dev", "server:dev", "Run everything with developer defaults."),
    Entry("Start", "completion", "shell:completion", "Print a completion script."),
    Entry("Start", "version", "shell:version", "Print the version."),
    Entry("Define", "jobs", "jobs:app", "Job definitions: what can run."),
    Entry("Define", "secrets", "secrets:app", "Secrets that jobs receive."),
    Entry("Operate", "trigger", "trigger:trigger", "Start a run of a job."),
    Entry("Operate", "runs", "runs:app", "Runs: one execution of one job each."),
    Entry("Operate", "dlq", "dlq:app", "Dead letters: runs that were given up."),
    Entry("Observe", "stats", "observe:stats", "Count queued, executing and delayed runs."),
    Entry("Govern", "projects", "projects:app", "Projects: what a key belongs to."),
    Entry("Govern", "keys", "keys:app", "API keys: who may do what."),
    Entry("Govern", "api-keys", "keys:app", "API keys: who may do what.", hidden=True),
    Entry("Server", "serve", "server:serve", "Run the server until it is told to stop."),
    Entry("Server", "migrate", "server:migrate", "Bring the database schema up to date."),
    Entry("Server", "config", "server:config", "The settings of the server."),
    Entry("Server", "health", "observe:health", "Ask whether the server is well."),
)


class Deferred(TyperCommand):
    """A command known by name and help, which becomes itself when it is used."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(
            entry.name, help=entry.help, hidden=entry.hidden, rich_help_panel=entry.panel
        )
        self._home = entry.home

    def become(self) -> TyperCommand | TyperGroup:
        """Import the home and build the command, with the global options added."""
        module, _, attribute = self._home.partition(":")
        home = getattr(importlib.import_module(f"strait_cli.commands.{module}"), attribute)
        command = typer.main.get_group(home) if isinstance(home, typer.Typer) else _single(home)
        command.help = self.help if isinstance(command, TyperGroup) else command.help
        command.name = self.name
        _equip(command)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        command = self.become()
        if isinstance(command, TyperGroup) and not args:
            args = ["--help"]
        return command.make_context(info_name, args, parent=parent, **extra)


def root() -> TyperGroup:
    """Build the tree. Groups are not imported yet."""
    return TyperGroup(
        name="strait",
        help="Background jobs on PostgreSQL and nothing else.",
        commands={entry.name: Deferred(entry) for entry in ENTRIES},
        params=[*global_options()],
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="rich",
    )


def leaves() -> Iterator[tuple[str, TyperCommand]]:
    """Walk every command that does something, by its full name. Aliases are left out.

    The number of commands that we publish is the length of this walk.
    """
    for entry in ENTRIES:
        if entry.hidden:
            continue
        command = Deferred(entry).become()
        if isinstance(command, TyperGroup):
            for name, child in command.commands.items():
                if isinstance(child, TyperCommand) and not child.hidden:
                    yield f"strait {entry.name} {name}", child
        else:
            yield f"strait {entry.name}", command


def _single(function: Callable[..., None]) -> TyperCommand:
    app = typer.Typer(add_completion=False)
    app.command()(function)
    command = typer.main.get_command(app)
    if not isinstance(command, TyperCommand):
        raise TypeError(f"{function.__name__} did not become a command")
    return command


def _equip(command: TyperCommand | TyperGroup) -> None:
    everywhere = global_options(hidden=True)
    children = command.commands.values() if isinstance(command, TyperGroup) else ()
    for each in (command, *children):
        each.params += everywhere
        each.epilog = "The options of every command: strait --help"
