"""Named SQL statements, read from the `queries.sql` beside a store.

Where a store is a folder, so are its queries: `store/claim.py` reads
`queries/claim.sql`. A file holds statements introduced by `-- name: find`.
Parameters are written `:name` and become `$1, $2, …` once, at import. A line

    -- literal: batch = 10 25 100

makes one statement per value, named `claim_10`, `claim_25`, …, with `:batch`
replaced by the number itself: PostgreSQL plans `limit 100` well and
`limit $1` badly. What several statements of a file share is introduced by
`-- part: ending`, and stands wherever a line says `-- use: ending`.
"""

import re
from collections.abc import Iterator, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

from msgspec import Struct

_HEADER: Final = re.compile(r"^-- (name|part): (\w+)\s*$", re.MULTILINE)
_USE: Final = re.compile(r"^-- use: (\w+)$", re.MULTILINE)
_LITERAL: Final = re.compile(r"^-- literal: (\w+) = ([\d ]+)$", re.MULTILINE)
# Alternatives are tried in order: what is quoted, commented or cast is left alone.
_TOKEN: Final = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|::|:([a-z_]\w*)")


class Query(Struct, frozen=True):
    """One statement: its text with numbered parameters, and their names in order."""

    name: str
    text: str
    params: tuple[str, ...]

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """Order `values` as the statement numbers them. TypeError when the names differ."""
        if len(values) != len(self.params):
            raise TypeError(f"{self.name} takes {self.params}, not {tuple(values)}")
        try:
            return [values[name] for name in self.params]
        except KeyError as error:
            raise TypeError(f"{self.name} takes {self.params}, not {tuple(values)}") from error


def load_queries(module: str) -> Mapping[str, Query]:
    """Every statement of the store `module`, by name.

    ValueError for a name that stands twice, KeyError for a part that is not in the file.
    """
    package, _, name = module.rpartition(".")
    room, _, last = package.rpartition(".")
    if last == "store":
        file = resources.files(room).joinpath("queries", f"{name}.sql")
    else:
        file = resources.files(package).joinpath("queries.sql")
    by_name: dict[str, Query] = {}
    for query in _parse(file.read_text(encoding="utf-8")):
        if query.name in by_name:
            raise ValueError(f"{module} has two statements named {query.name}")
        by_name[query.name] = query
    return MappingProxyType(by_name)


def _parse(source: str) -> Iterator[Query]:
    split = _HEADER.split(source)[1:]
    pieces = list(zip(split[::3], split[1::3], split[2::3], strict=True))
    parts = {name: body.strip() for kind, name, body in pieces if kind == "part"}
    for kind, name, written in pieces:
        if kind == "part":
            continue
        body = _USE.sub(lambda use: parts[use[1]], written)
        literal = _LITERAL.search(body)
        if literal is None:
            yield _numbered(name, body)
            continue
        for value in literal[2].split():
            text = re.sub(rf":{literal[1]}\b", value, body)
            yield _numbered(f"{name}_{value}", text)


def _numbered(name: str, body: str) -> Query:
    params: list[str] = []

    def replace(token: re.Match[str]) -> str:
        param = token[1]
        if param is None:
            return token[0]
        if param not in params:
            params.append(param)
        return f"${params.index(param) + 1}"

    text = _TOKEN.sub(replace, body)
    return Query(name, text.strip().removesuffix(";"), tuple(params))
