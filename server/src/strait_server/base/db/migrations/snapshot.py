"""The schema as text: what `schema.sql` holds, to be read and to be compared.

It is asked from the catalogs and not from `pg_dump`, which differs between
versions and is not everywhere. Everything is in the order of names, except
columns. Partitions are left out, since they come and go with the months, but
for the default ones, which are part of the design.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import asyncpg
from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries

SQL: Final = load_queries(__name__)
_AFTER_TABLE: Final = ("indexes", "triggers", "row_security", "policies")
_HEAD: Final = "-- The schema that the migrations lead to. Generated: do not edit.\n"


class Table(Struct, frozen=True, kw_only=True):
    name: str
    storage: str | None
    partition_key: str | None
    parent: str | None


class Part(Struct, frozen=True, kw_only=True):
    """A line of a table's definition, or a statement that belongs to it."""

    table_name: str
    definition: str


async def dump_schema(connection: asyncpg.Connection) -> str:
    """Describe the current schema. The same schema gives the same text on PostgreSQL 14 to 18."""
    db = Connection(connection)
    inside = _by_table(
        await db.rows(Part, SQL["columns"]) + await db.rows(Part, SQL["constraints"])
    )
    after = _by_table([part for kind in _AFTER_TABLE for part in await db.rows(Part, SQL[kind])])
    blocks = await db.rows(str, SQL["extensions"])
    blocks += await db.rows(str, SQL["sequences"])
    blocks += [
        _table(table, inside[table.name], after[table.name])
        for table in await db.rows(Table, SQL["tables"])
    ]
    blocks += await db.rows(str, SQL["functions"])
    blocks += await db.rows(str, SQL["views"])
    return "\n".join([_HEAD, *(f"{block.strip()}\n" for block in blocks)])


def _table(table: Table, inside: Sequence[str], after: Sequence[str]) -> str:
    storage = f" with ({table.storage})" if table.storage else ""
    if table.parent is not None:
        create = f"create table {table.name} partition of {table.parent} default{storage};"
    else:
        lines = ",\n".join(f"    {line}" for line in inside)
        by = f" partition by {table.partition_key}" if table.partition_key else ""
        create = f"create table {table.name} (\n{lines}\n){by}{storage};"
    return "\n".join([create, *(f"{statement};" for statement in after)])


def _by_table(parts: Iterable[Part]) -> defaultdict[str, list[str]]:
    definitions: defaultdict[str, list[str]] = defaultdict(list)
    for part in parts:
        definitions[part.table_name].append(part.definition)
    return definitions
