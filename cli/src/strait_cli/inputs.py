"""What people hand over: files, JSON, and `key=value`."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from strait_cli.errors import ConfigError


def read_text(place: str) -> str:
    """Read a file, or standard input for `-`."""
    try:
        return sys.stdin.read() if place == "-" else Path(place).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {place}: {error}") from error


def read_json(text: str, *, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not JSON: {error}") from error


def pairs(values: Sequence[str] | None, *, flag: str) -> dict[str, str]:
    """Read repeated `key=value`; the value may contain further equals signs."""
    found: dict[str, str] = {}
    for text in values or ():
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ConfigError(f"{flag} {text!r} must be key=value")
        found[key] = value
    return found


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what was given: unset flags stay out of the body, `{}` and `0` stay in."""
    return {key: value for key, value in fields.items() if value is not None}
