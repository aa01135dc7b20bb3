"""Tables for people. Imported only when one is shown: Rich is slow to load."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from strait_cli.output.columns import (
    GAP,
    STYLES,
    Column,
    Kind,
    Resource,
    Row,
    cell,
    column,
    dated,
    fields,
    fitting,
)
from strait_cli.settings import Settings

# A pipe has no width, and who asks for `wide` wants it all: nothing may be cut.
_ENDLESS: Final = 10_000


def print_rows(
    stream: TextIO, settings: Settings, resource: Resource, rows: Sequence[Row], *, now: datetime
) -> None:
    """Print one line per row, under the curated columns; `wide` adds the other keys."""
    columns = [*resource.columns, *(_others(resource, rows) if settings.format == "wide" else ())]
    console = _console(stream, settings)
    chosen = fitting(columns, rows, width=console.width, now=now)
    table = _table(headers=settings.headers)
    for each, width in chosen:
        table.add_column(each.title, no_wrap=True, overflow="ellipsis", width=width)
    for row in rows:
        table.add_row(*(_styled(cell(row, each, now=now), each.kind) for each, _ in chosen))
    console.print(table)


def print_item(
    stream: TextIO, settings: Settings, resource: Resource, item: Row, *, now: datetime
) -> None:
    """Print one line per field."""
    table = _table(headers=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for key in fields(resource, item, wide=settings.format == "wide"):
        kind = Kind.STATUS if key == "status" else Kind.TEXT
        table.add_row(key, _styled(dated(key, item[key], now=now), kind))
    _console(stream, settings).print(table)


def _others(resource: Resource, rows: Sequence[Row]) -> list[Column]:
    shown = {key for each in resource.columns for key in each.keys}
    names = {key for row in rows for key in row} - shown
    return [column(name.upper().replace("_", " "), name) for name in sorted(names)]


def _table(*, headers: bool) -> Table:
    return Table(
        box=None,
        show_header=headers,
        header_style="bold",
        pad_edge=False,
        padding=(0, GAP, 0, 0),
    )


def _styled(text: str, kind: Kind) -> Text:
    return Text(text, style=STYLES.get(text, "") if kind is Kind.STATUS else "")


def _console(stream: TextIO, settings: Settings) -> Console:
    return Console(
        file=stream,
        force_terminal=settings.color,
        no_color=not settings.color,
        width=None if stream.isatty() and settings.format != "wide" else _ENDLESS,
    )
