"""A connection with four verbs: rows, row, execute, transaction."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from functools import cache
from inspect import signature
from typing import Any, Final, TypeVar, cast, get_args

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy
from msgspec.structs import fields

from strait_server.base.db.queries import Query

T = TypeVar("T")


class Connection:
    """One PostgreSQL connection, for one caller at a time."""

    __slots__ = ("raw",)

    def __init__(self, raw: asyncpg.Connection | PoolConnectionProxy) -> None:
        self.raw: Final = cast("asyncpg.Connection", raw)

    async def rows(self, kind: type[T], query: Query, **values: object) -> list[T]:
        """Every row as a `kind`: a Struct made of the columns, or the only column."""
        found = await self.raw.fetch(query.text, *query.arguments(values))
        if not found:
            return []
        make = _maker(kind, found[0])
        return [make(row) for row in found]

    async def row(self, kind: type[T], query: Query, **values: object) -> T | None:
        """Return the first row, or None."""
        row = await self.raw.fetchrow(query.text, *query.arguments(values))
        return None if row is None else _maker(kind, row)(row)

    async def execute(self, query: Query, **values: object) -> int:
        """How many rows the statement wrote."""
        tag = await self.raw.execute(query.text, *query.arguments(values))
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """Join the open transaction, or be one."""
        if self.raw.is_in_transaction():
            yield
            return
        async with self.raw.transaction():
            yield


async def prepare_types(raw: asyncpg.Connection) -> None:
    """Carry JSON as bytes: what users send is stored and returned as it is."""
    await raw.set_type_codec(
        "json", encoder=bytes, decoder=msgspec.Raw, schema="pg_catalog", format="binary"
    )
    await raw.set_type_codec(
        "jsonb",
        encoder=_to_jsonb,
        decoder=_from_jsonb,
        schema="pg_catalog",
        format="binary",
    )


def _to_jsonb(document: bytes) -> bytes:
    return b"\x01" + bytes(document)  # the version byte of the wire format


def _from_jsonb(wire: bytes) -> msgspec.Raw:
    return msgspec.Raw(wire[1:])


def _maker(kind: type[T], row: asyncpg.Record) -> Callable[[asyncpg.Record], T]:
    return cast("Callable[[asyncpg.Record], T]", _make_maker(cast("Any", kind), tuple(row.keys())))


@cache
def _make_maker(kind: Any, columns: tuple[str, ...]) -> Callable[[Any], Any]:
    if not issubclass(kind, msgspec.Struct):
        return _first
    convert = {field.name: maker for field in fields(kind) if (maker := _converter(field.type))}
    if not convert:
        # A Struct whose fields stand as the columns do takes them as they come: five times
        # as fast as by their names.
        if columns == _positional(kind):
            return lambda row: kind(*row)
        return lambda row: kind(**row)

    def make(row: Mapping[str, Any]) -> Any:
        values = dict(row)
        for name, convert_one in convert.items():
            if values.get(name) is not None:
                values[name] = convert_one(values[name])
        return kind(**values)

    return make


def _positional(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    parameters = signature(kind).parameters.values()
    return tuple(one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD)


def _first(row: Mapping[str, Any]) -> Any:
    return next(iter(row.values()))


def _converter(kind: Any) -> Callable[[Any], Any] | None:
    """Say what turns a column into the type a Struct declares, or None when it is that already."""
    for one in (kind, *get_args(kind)):
        if isinstance(one, type) and issubclass(one, Enum):
            return one
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            return _decoder(one)
        if getattr(one, "__origin__", None) in {tuple, dict}:
            return _json_or_tuple(one)
    return None


def _decoder(kind: Any) -> Callable[[Any], Any]:
    return msgspec.json.Decoder(kind).decode


def _json_or_tuple(kind: Any) -> Callable[[Any], Any]:
    decode = _decoder(kind)

    def convert(value: Any) -> Any:
        if isinstance(value, msgspec.Raw):
            return decode(value)
        return tuple(value) if isinstance(value, Sequence) else value

    return convert
