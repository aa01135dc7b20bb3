"""The only module that writes: data to one stream, everything else to the other."""

import codecs
import io
import json
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import typer

from strait_cli import clock
from strait_cli.errors import CliError
from strait_cli.output.columns import Resource, Row, printable, worded
from strait_cli.output.formats import MACHINE, render
from strait_cli.settings import Format, Settings

_ESCAPED: Final = "strait_as_json"
_ON_ONE_LINE: Final = frozenset({Format.JSONL, Format.COMPACT})
_FOR_PEOPLE: Final = frozenset({Format.TABLE, Format.WIDE})


class Output:
    """Where the answers of one invocation go."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def for_people(self) -> bool:
        """Whether sentences and tables are welcome on standard output."""
        return self._settings.format in _FOR_PEOPLE and not self._settings.quiet

    def rows(self, resource: Resource, rows: Sequence[Row]) -> None:
        """Show a list. Quiet: one id per line, nothing for things without ids."""
        if self._settings.quiet:
            self._ids(rows)
        elif self.for_people:
            from strait_cli.output import table

            with _writing():
                table.print_rows(sys.stdout, self._settings, resource, rows, now=clock.now())
        else:
            self._render(resource, list(rows))

    def item(self, resource: Resource, item: Row) -> None:
        """Show one thing."""
        if self._settings.quiet:
            self._ids([item])
        elif self.for_people:
            from strait_cli.output import table

            with _writing():
                table.print_item(sys.stdout, self._settings, resource, item, now=clock.now())
        else:
            self._render(resource, item)

    def line(self, text: str) -> None:
        """Write data as it is."""
        _write(text)

    def note(self, text: str) -> None:
        """Tell people something they may like to know; quiet keeps it back."""
        if not self._settings.quiet:
            tell(text)

    def trace(self, text: str) -> None:
        """Tell people how it went, when they asked with `--verbose` or `--debug`."""
        if self._settings.verbose or self._settings.debug:
            tell(text)

    def _ids(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.get("id"):
                _write(str(row["id"]))

    def _render(self, resource: Resource, value: Row | Sequence[Row]) -> None:
        text = render(self._settings.format, resource, value, headers=self._settings.headers)
        if text:
            _write(text)


def open_streams() -> None:
    """Make the streams of this process fit to be used, whatever they are.

    One that is closed leads nowhere. A character that the encoding lacks is
    written as JSON escapes it, so that a document stays one.
    """
    codecs.register_error(_ESCAPED, _as_json)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, mode, encoding="utf-8", closefd=False))
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPED)


def tell(text: str) -> None:
    """Write a line to standard error, where nobody parses it and perhaps nobody reads."""
    with suppress(BrokenPipeError):
        sys.stderr.write(f"{printable(text)}\n")
        sys.stderr.flush()


def report(error: CliError, chosen: Format) -> None:
    """Say how a command ended badly (cli 3).

    Programs find the document where they look for the answer, unless the
    answer is already there. People get a sentence and a hint, also when only
    their error stream is a terminal.
    """
    for_programs = chosen in MACHINE and not error.answered
    if for_programs:
        indent = None if chosen in _ON_ONE_LINE else 2
        _write(json.dumps(error.document(), indent=indent, ensure_ascii=False))
    if not for_programs or sys.stderr.isatty():
        tell(f"error: {error.message}")
        for detail in _lines(error.details):
            tell(f"  - {detail}")
        if error.suggestion:
            tell(f"hint: {error.suggestion}")


def _lines(details: object) -> list[str]:
    match details:
        case list():
            return [worded(detail) for detail in details]
        case dict():
            return [f"{key}: {worded(value)}" for key, value in details.items()]
        case _:
            return []


def _write(text: str) -> None:
    with _writing():
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


@contextmanager
def _writing() -> Generator[None]:
    """End quietly when the other end of the pipe has seen enough (`| head`), else say what is."""
    try:
        yield
    except OSError as error:
        # The interpreter flushes once more at exit; that must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(0) from error
        raise CliError(f"cannot write the answer: {error.strerror}", answered=True) from error


def _as_json(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return json.dumps(lacking)[1:-1], error.end
