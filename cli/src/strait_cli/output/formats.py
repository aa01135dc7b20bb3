"""The formats that programs read."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from strait_cli.output.columns import Resource, Row, fields
from strait_cli.settings import Format

MACHINE = frozenset({Format.JSON, Format.JSONL, Format.COMPACT, Format.YAML})


def render(chosen: Format, resource: Resource, value: Row | Sequence[Row], *, headers: bool) -> str:
    """Write a thing, or a list of things, without the last line break."""
    rows = value if isinstance(value, Sequence) else [value]
    match chosen:
        case Format.JSON:
            return json.dumps(value, indent=2, ensure_ascii=False)
        case Format.JSONL:
            return "\n".join(_line(row) for row in rows)
        case Format.COMPACT:
            return _line(without_zeros(value))
        case Format.YAML:
            return _yaml(value)
        case Format.CSV | Format.TABLE | Format.WIDE:
            return _csv(resource, rows, headers=headers)


def without_zeros(value: Any) -> Any:
    """Drop every key whose value is empty, zero or false, at any depth."""
    if isinstance(value, dict):
        kept = {key: without_zeros(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item}
    if isinstance(value, list):
        return [without_zeros(item) for item in value]
    return value


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _yaml(value: object) -> str:
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip("\n")


def _csv(resource: Resource, rows: Sequence[Row], *, headers: bool) -> str:
    """Columns are the union of the keys; values are as the server sent them."""
    names = list(dict.fromkeys(key for row in rows for key in fields(resource, row, wide=True)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if headers and names:
        writer.writerow(names)
    for row in rows:
        writer.writerow([_plain(row.get(name)) for name in names])
    return text.getvalue().rstrip("\n")


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return _line(value) if isinstance(value, dict | list) else value
