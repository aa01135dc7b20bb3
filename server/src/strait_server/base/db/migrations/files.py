"""Migration files: what they are called, how they begin, and the statements they hold."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Final, NamedTuple

from msgspec import Struct

from strait_server.base.db.migrations.errors import BadMigration

RESULT: Final = "schema.sql"
_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_UP: Final = re.compile(r"^-- migrate:(\w+)(?: transaction:(\w+))?[ \t]*$", re.MULTILINE)
# What is quoted, commented or a word is one token, so that a semicolon is the
# end of a statement wherever it stands alone. Block comments do not nest.
_TOKEN: Final = re.compile(
    r"""
      (?P<gap> \s+ | --[^\n]* | /\*.*?\*/ )
    | (?P<end> ; )
    | [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
    | \$(?P<tag>[a-zA-Z_]\w*|)\$.*?\$(?P=tag)\$
    | \w[\w$]* | .
    """,
    re.VERBOSE | re.DOTALL,
)
_OWN_TRANSACTION: Final = re.compile(
    r"(?:begin|start\s+transaction|commit|rollback|abort|end|prepare\s+transaction)\b",
    re.IGNORECASE,
)
_UNQUOTED_BODY: Final = re.compile(r"\bbegin\s+atomic\b", re.IGNORECASE)


class Statement(NamedTuple):
    """One SQL statement and where it begins in its file."""

    offset: int
    text: str


class Migration(Struct, frozen=True, kw_only=True):
    """One step of the schema: a file."""

    version: int
    name: str
    source: str
    checksum: str
    transactional: bool
    statements: tuple[Statement, ...]

    def line(self, offset: int) -> int:
        """Find the line of the file that holds the character `offset`."""
        return self.source.count("\n", 0, offset) + 1


def load_migrations(package: str = "strait_server.migrations") -> tuple[Migration, ...]:
    """Read every migration of a package, in order. `BadMigration` when one is amiss."""
    sources = {
        file.name: file.read_text(encoding="utf-8")
        for file in resources.files(package).iterdir()
        if file.name.endswith(".sql") and file.name != RESULT
    }
    migrations = tuple(parse(name, sources[name]) for name in sorted(sources))
    _check_numbers(migrations)
    return migrations


def parse(file_name: str, text: str) -> Migration:
    """Understand one file. `BadMigration` says what is missing and where."""
    source = text.replace("\r\n", "\n")
    name = _NAME.fullmatch(file_name)
    if name is None:
        raise BadMigration(f"{file_name}: a migration is called like 0042_runs_lease.sql")
    if not source.startswith("-- ") or _UP.match(source):
        raise BadMigration(
            f"{file_name}: the first line names the room, as in `-- work/queue: why`"
        )
    marks = list(_UP.finditer(source))
    if len(marks) != 1 or marks[0][1] != "up" or marks[0][2] not in {None, "true", "false"}:
        raise BadMigration(
            f"{file_name}: one line says `-- migrate:up` or `-- migrate:up transaction:false`, "
            "and there is no way down"
        )
    statements = tuple(_split(source))
    _check_statements(file_name, statements, begin=marks[0].end())
    return Migration(
        version=int(name[1]),
        name=file_name.removesuffix(".sql"),
        source=source,
        checksum=hashlib.sha256(source.encode()).hexdigest(),
        transactional=marks[0][2] != "false",
        statements=statements,
    )


def _split(source: str) -> Iterator[Statement]:
    """Yield the statements without their semicolons and the comments before them."""
    start: int | None = None
    for token in _TOKEN.finditer(source):
        if token["end"]:
            if start is not None:
                yield Statement(start, source[start : token.start()])
            start = None
        elif start is None and not token["gap"]:
            start = token.start()
    if start is not None:
        yield Statement(start, source[start:])


def _check_statements(file_name: str, statements: Sequence[Statement], *, begin: int) -> None:
    if not statements or statements[0].offset < begin:
        raise BadMigration(f"{file_name}: the statements stand after `-- migrate:up`")
    for statement in statements:
        if control := _OWN_TRANSACTION.match(statement.text):
            raise BadMigration(f"{file_name}: `{control[0]}` is the runner's business")
        if _UNQUOTED_BODY.search(statement.text):
            raise BadMigration(f"{file_name}: write the body of a function between $$ and $$")


def _check_numbers(migrations: Sequence[Migration]) -> None:
    for expected, migration in enumerate(migrations, start=1):
        if migration.version != expected:
            raise BadMigration(
                f"{migration.name}.sql: the number {expected:04} comes here, each number once"
            )
