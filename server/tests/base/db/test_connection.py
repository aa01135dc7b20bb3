"""A connection and its four verbs (style 4.5)."""

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import asyncpg
import msgspec
import pytest
from msgspec import Struct

from strait_server.base import ids
from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import Query

MANY = Query("many", "select generate_series(1, $1::integer) as n", ("count",))
NONE = Query("none", "select 1 where false", ())
KEEP = Query("keep", "insert into kept (n) select generate_series(1, $1::integer)", ("count",))
KEPT = Query("kept", "select count(*)::integer from kept", ())


class Number(Struct, frozen=True):
    n: int


class Colour(StrEnum):
    RED = "red"


class Limit(Struct, frozen=True):
    name: str
    most: int


class Thing(Struct, frozen=True, kw_only=True):
    """One of everything that a column can become."""

    id: UUID
    at: datetime
    colour: Colour
    delays: tuple[int, ...]
    limits: tuple[Limit, ...]
    tags: dict[str, str]
    limit: Limit
    raw: msgspec.Raw
    shade: Colour | None = None
    maybe_delays: tuple[int, ...] | None = None
    maybe_limits: tuple[Limit, ...] | None = None
    maybe_raw: msgspec.Raw | None = None


@pytest.fixture
async def kept(db):
    await db.raw.execute("create temporary table kept (n integer check (n < 100)) on commit drop")
    return db


async def keep_and_fail(db):
    """Keep rows in a transaction within another, which then fails."""
    async with db.transaction():
        async with db.transaction():
            await db.execute(KEEP, count=3)
        assert await db.row(int, KEPT) == 3
        raise ZeroDivisionError


async def test_rows_become_structs(db):
    assert await db.rows(Number, MANY, count=3) == [Number(1), Number(2), Number(3)]


@pytest.mark.parametrize("columns", ["'red' as name, 1 as most", "1 as most, 'red' as name"])
async def test_columns_find_their_fields_in_any_order(db, columns):
    statement = Query("limit", f"select {columns}", ())

    assert await db.rows(Limit, statement) == [Limit("red", 1)]
    assert await db.row(Limit, statement) == Limit("red", 1)


async def test_rows_of_one_column_become_values(db):
    assert await db.rows(int, MANY, count=3) == [1, 2, 3]


async def test_no_rows_are_an_empty_list(db):
    assert await db.rows(int, NONE) == []


async def test_a_row_is_the_first_or_none(db):
    assert await db.row(Number, MANY, count=3) == Number(1)
    assert await db.row(int, MANY, count=3) == 1
    assert await db.row(Number, NONE) is None


async def test_a_parameter_that_is_missing_is_a_mistake(db):
    with pytest.raises(TypeError):
        await db.rows(int, MANY)


async def test_a_column_becomes_what_the_struct_declares(db):
    query = Query(
        "thing",
        """
        select $1::uuid as id, $2::timestamptz as at, 'red' as colour, '{1,2}'::integer[] as delays,
            '[{"name":"a","most":1}]'::json as limits, '{"a":"b"}'::jsonb as tags,
            '{"name":"b","most":2}'::json as limit, '{"n": 1.10}'::json as raw,
            null::text as shade, null::integer[] as maybe_delays, null::json as maybe_limits,
            null::json as maybe_raw
        """,
        ("id", "at"),
    )
    run_id, at = ids.new_id(), datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    thing = await db.row(Thing, query, id=run_id, at=at)

    assert thing == Thing(
        id=run_id,
        at=at,
        colour=Colour.RED,
        delays=(1, 2),
        limits=(Limit("a", 1),),
        tags={"a": "b"},
        limit=Limit("b", 2),
        raw=msgspec.Raw(b'{"n": 1.10}'),
    )
    assert type(thing.colour) is Colour


@pytest.mark.parametrize("kind", ["json", "jsonb"])
async def test_json_goes_in_and_out_as_bytes(db, kind):
    query = Query("echo", f"select $1::{kind}", ("document",))

    assert bytes(await db.row(msgspec.Raw, query, document=b'{"a": 1}')) == b'{"a": 1}'
    assert await db.row(msgspec.Raw, query, document=None) is None


async def test_numbers_keep_their_digits_in_json(db):
    """T95."""
    query = Query("echo", "select $1::json", ("document",))
    document = b'{"id":9007199254740993,"price":1.10}'

    assert bytes(await db.row(msgspec.Raw, query, document=document)) == document


async def test_execute_tells_how_many_rows_were_written(kept):
    assert await kept.execute(KEEP, count=3) == 3
    assert await kept.execute(KEEP, count=0) == 0


async def test_execute_of_what_writes_no_rows_is_zero(db):
    assert await db.execute(Query("set", "set local statement_timeout = 0", ())) == 0


async def test_a_transaction_is_taken_back_when_it_fails(kept):
    with pytest.raises(ZeroDivisionError):
        await keep_and_fail(kept)

    assert await kept.row(int, KEPT) == 0


async def test_a_transaction_within_joins_the_one_around(database):
    raw = await database.dedicated()
    db = Connection(raw)
    await raw.execute("create table kept (n integer)")

    with pytest.raises(ZeroDivisionError):
        await keep_and_fail(db)

    assert await db.row(int, KEPT) == 0
    async with db.transaction(), db.transaction():
        await db.execute(KEEP, count=3)
    assert not raw.is_in_transaction()
    assert await db.row(int, KEPT) == 3
    await raw.close()


async def test_a_failed_statement_is_told_as_postgres_tells_it(kept):
    with pytest.raises(asyncpg.CheckViolationError):
        async with kept.transaction():
            await kept.execute(KEEP, count=100)
