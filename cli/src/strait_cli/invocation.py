"""What a command works with: the settings, the server and the output of one invocation."""

from functools import cached_property

import typer

from strait_cli.client import Client, Json, Listing
from strait_cli.errors import CliError, ConfigError
from strait_cli.output.columns import Resource
from strait_cli.output.writer import Output, tell
from strait_cli.settings import load


class Invocation:
    """One run of one command. Its connection lives as long as the context."""

    def __init__(self, ctx: typer.Context) -> None:
        self._ctx = ctx
        self.settings = load(ctx.obj)
        self.out = Output(self.settings)
        for warning in self.settings.warnings:
            tell(f"warning: {warning}")

    @cached_property
    def client(self) -> Client:
        from strait_cli.transport import Transport

        transport = Transport(self.settings, trace=self.out.trace)
        self._ctx.call_on_close(transport.close)
        return Client(self.settings, transport, note=self.out.note)

    def show_list(self, resource: Resource, listing: Listing) -> None:
        """Show the rows, and say when there are more."""
        self.out.rows(resource, listing.rows)
        if listing.more:
            self.out.note(f"{len(listing.rows)} shown, there are more: raise --limit or filter")

    def warn_of_ignored(self, sent: Json, answer: Json) -> None:
        """Name the fields that the server did not take: it ignores those it does not know.

        Empty values may be missing from its answer, and of a secret it only says
        that it is set.
        """
        ignored = [
            key
            for key, value in sent.items()
            if value and key not in answer and f"{key}_set" not in answer
        ]
        if ignored:
            tell(f"warning: the server does not know {', '.join(ignored)}: ignored")

    def confirm(self, question: str, *, yes: bool) -> None:
        """Go on only when the person agrees (cli 4). Programs must pass `--yes`."""
        if yes:
            return
        if not self.settings.interactive:
            raise ConfigError(f"{question} Nobody can answer here: pass --yes")
        if not typer.confirm(question, err=True):
            raise CliError("nothing was done")

    def ask_hidden(self, what: str, *, flag: str) -> str:
        """Ask for a value without showing it."""
        if not self.settings.interactive:
            raise ConfigError(f"nobody can type the {what} here: pass {flag}")
        return str(typer.prompt(what.capitalize(), hide_input=True, err=True))
