"""Where settings come from: the environment, then a file, then a default.

Nothing stops at the first mistake: whoever starts the server gets the whole
list, each line with the name, what was given, and the fix (T123).
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from strait_server.base.settings.values import Reader, hide_nothing

FILE_VARIABLE: Final = "STRAIT_CONFIG"
FILE_NAME: Final = "strait.toml"


class SettingsError(ValueError):
    """The settings cannot be used. `problems` are all findings, one line each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Source(StrEnum):
    """Who gave a setting its value."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"


class Setting(NamedTuple):
    """One setting. `default` is written as a user would write it; None: it must be given.

    `alias` is a second variable with the same meaning; both may be set only to the same.
    """

    default: str | None
    read: Reader
    help: str
    mask: Callable[[str], str] = hide_nothing
    alias: str = ""


class Reading(NamedTuple):
    """What was found: by field name, for as many settings as could be read."""

    values: Mapping[str, object]
    sources: Mapping[str, Source]
    problems: list[str]


class _Given(NamedTuple):
    name: str
    text: str
    source: Source


def find_file(environ: Mapping[str, str], directory: Path) -> Path | None:
    """Find the file of settings: STRAIT_CONFIG, else strait.toml in the directory, if any.

    A file that is named but missing raises `SettingsError`.
    """
    if named := environ.get(FILE_VARIABLE):
        path = directory / named
        if not path.is_file():
            raise SettingsError([f"{FILE_VARIABLE}: there is no file {named!r}"])
        return path
    path = directory / FILE_NAME
    return path if path.is_file() else None


def read(
    table: Mapping[str, Setting],
    environ: Mapping[str, str],
    file: bytes | None,
    defaults: Mapping[str, str],
) -> Reading:
    """Read every setting of the table. The empty text means: not given."""
    in_file, problems = _read_file(table, file)
    layers = (
        (Source.ENVIRONMENT, environ),
        (Source.FILE, in_file),
        (Source.DEFAULT, defaults),
    )
    values: dict[str, object] = {}
    sources: dict[str, Source] = {}
    for field, setting in table.items():
        try:
            given = _find(field, setting, layers)
            values[field] = _read_text(setting, given)
        except ValueError as error:
            problems.append(str(error))
        else:
            sources[field] = given.source
    return Reading(values, sources, problems)


def _find(
    field: str, setting: Setting, layers: Iterable[tuple[Source, Mapping[str, str]]]
) -> _Given:
    """Find what is given for a setting, or raise `ValueError`."""
    name = field.upper()
    for source, texts in layers:
        found = [
            _Given(alias, text, source)
            for alias in (name, setting.alias)
            if (text := texts.get(alias, "").strip())
        ]
        if len({given.text for given in found}) > 1:
            raise ValueError(f"{name} and {setting.alias} ({source}): set one, or both to the same")
        if found:
            return found[0]
    if setting.default is None:
        raise ValueError(f"{name} is not set: {setting.help}")
    return _Given(name, setting.default, Source.DEFAULT)


def _read_text(setting: Setting, given: _Given) -> object:
    try:
        return setting.read(given.text)
    except ValueError as error:
        shown = setting.mask(given.text)
        raise ValueError(
            f"{given.name} ({given.source}): {shown} will not do; write {error}"
        ) from error


def _read_file(
    table: Mapping[str, Setting], file: bytes | None
) -> tuple[Mapping[str, str], list[str]]:
    """Read the file as if it were an environment: its keys are the variables in lower case."""
    try:
        content = tomllib.loads((file or b"").decode())
    except ValueError as error:
        return {}, [f"the file cannot be read: {error}"]
    known = {name.lower() for field, it in table.items() for name in (field, it.alias) if name}
    texts: dict[str, str] = {}
    problems: list[str] = []
    for key, value in content.items():
        match value:
            case _ if key not in known:
                problems.append(f"{key} (file): there is no such setting{_nearest(key, known)}")
            case bool():
                texts[key.upper()] = str(value).lower()
            case str() | int() | float():
                texts[key.upper()] = str(value)
            case list() if any("," in str(entry) for entry in value):
                problems.append(f"{key} (file): write entries without commas")
            case list():
                texts[key.upper()] = ",".join(map(str, value))
            case _:
                problems.append(f"{key} (file): write a text, a number, a boolean or a list")
    return texts, problems


def _nearest(key: str, known: Iterable[str]) -> str:
    near = get_close_matches(key.lower(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
