"""Where a value comes from (cli 1): flag > variable > local file > home file > default.

`resolve` is the rule and a pure function; `load` asks the world. Files are only
read here. A repository's own `.strait.yaml` may redirect calls and the key that
goes with them, so it is believed, and said aloud.
"""

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from strait_cli.errors import ConfigError

DEFAULT_SERVER: Final = "http://localhost:8080"
DEFAULT_TIMEOUT: Final = 30.0

_KEYS: Final = ("server", "api_key", "project", "format")
_REDIRECTING: Final = ("server", "api_key")


class Format(StrEnum):
    """How data is written (cli 2)."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    COMPACT = "compact"
    YAML = "yaml"
    CSV = "csv"


class File(NamedTuple):
    """A configuration file, strongest first in a sequence of them."""

    path: str
    values: Mapping[str, Any]
    local: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What one invocation runs with."""

    server: str
    api_key: str
    project: str
    format: Format
    headers: bool
    color: bool
    quiet: bool
    verbose: bool
    debug: bool
    timeout: float
    interactive: bool
    warnings: tuple[str, ...]


def resolve(
    flags: Mapping[str, Any],
    env: Mapping[str, str],
    files: Sequence[File],
    *,
    stdin_tty: bool,
    stdout_tty: bool,
) -> Settings:
    """Settle every setting. Raises `ConfigError` for a value we cannot accept."""
    ci = bool(flags.get("ci")) or _is_on(env, "STRAIT_CI") or _is_on(env, "CI")
    alone = ci or bool(flags.get("non_interactive"))
    alone = alone or _is_on(env, "STRAIT_NON_INTERACTIVE")
    chosen = {key: _choose(key, flags, env, files) for key in _KEYS}
    plain = ci or bool(flags.get("no_color")) or bool(env.get("NO_COLOR"))
    return Settings(
        server=(chosen["server"] or DEFAULT_SERVER).rstrip("/"),
        api_key=chosen["api_key"],
        project=chosen["project"],
        format=_format(chosen["format"], stdout_tty=stdout_tty),
        headers=not flags.get("no_headers"),
        color=stdout_tty and not plain,
        quiet=bool(flags.get("quiet")),
        verbose=bool(flags.get("verbose")),
        debug=bool(flags.get("debug")),
        timeout=_timeout(flags.get("timeout")),
        interactive=stdin_tty and stdout_tty and not alone,
        warnings=tuple(_warnings(flags, env, files)),
    )


def load(flags: Mapping[str, Any]) -> Settings:
    """Resolve against the environment, the files and the terminal of this process."""
    home = Path.home() / ".config" / "strait" / "config.yaml"
    places = [(Path(".strait.yaml"), True), (home, False)]
    return resolve(
        flags,
        os.environ,
        [File(str(path), _read(path), local) for path, local in places if path.is_file()],
        stdin_tty=sys.stdin.isatty(),
        stdout_tty=sys.stdout.isatty(),
    )


def _choose(
    key: str, flags: Mapping[str, Any], env: Mapping[str, str], files: Sequence[File]
) -> str:
    layers = [flags.get(key), env.get(f"STRAIT_{key.upper()}")]
    layers += [_text(file, key) for file in files]
    return next((str(value) for value in layers if value), "")


def _text(file: File, key: str) -> str:
    value = file.values.get(key)
    if value is None:
        return ""
    if not isinstance(value, str | int):
        raise ConfigError(f"{key} in {file.path} must be text")
    return str(value)


def _format(chosen: str, *, stdout_tty: bool) -> Format:
    """Let an explicit choice win; otherwise people get a table and programs JSON."""
    if not chosen:
        return Format.TABLE if stdout_tty else Format.JSON
    try:
        return Format(chosen)
    except ValueError as error:
        raise ConfigError(f"unknown format {chosen!r}: use one of {', '.join(Format)}") from error


def _timeout(seconds: float | None) -> float:
    if seconds == 0:
        raise ConfigError("--timeout must be more than 0")
    return DEFAULT_TIMEOUT if seconds is None else seconds


def _warnings(flags: Mapping[str, Any], env: Mapping[str, str], files: Sequence[File]) -> list[str]:
    warnings: list[str] = []
    for file in files:
        redirected = [key for key in _REDIRECTING if file.values.get(key)]
        if file.local and redirected:
            warnings.append(f"{file.path} of this directory sets {' and '.join(redirected)}")
        if file.values.get("api_key") and not (flags.get("api_key") or env.get("STRAIT_API_KEY")):
            warnings.append(f"{file.path} holds an API key in clear; prefer STRAIT_API_KEY")
        for key in file.values.keys() - set(_KEYS):
            near = difflib.get_close_matches(key, _KEYS, n=1)
            meant = f", did you mean {near[0]}?" if near else ""
            warnings.append(f"{file.path}: {key} is not a setting and is ignored{meant}")
    return warnings


def _is_on(env: Mapping[str, str], name: str) -> bool:
    return env.get(name, "").lower() in {"1", "true"}


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"{path} must hold keys and values")
    return {str(key): value for key, value in document.items()}
