"""Connections of the hot path (design 5.1): they come back, and are not waited for for ever."""

import asyncio

import pytest

from strait_server.base.db.database import Line
from strait_server.base.db.queries import Query


def query(text):
    return Query(name="query", text=text, params=())


DEADLINE = 10.0
SLOW = query("select pg_sleep(1.2)")
BACKEND = query("select pg_backend_pid()")


@pytest.fixture
async def line(database):
    line = Line(database, patience=0.5)
    yield line
    await line.close()


async def backend(line):
    async with line.connection() as db:
        return await db.row(int, BACKEND)


async def test_a_line_keeps_its_connection(line):
    assert await backend(line) == await backend(line)


async def test_a_line_that_does_not_answer_in_time_is_replaced(line):
    silent = await backend(line)

    with pytest.raises(TimeoutError):
        async with line.connection() as db:
            await db.execute(SLOW)

    assert await backend(line) != silent


async def test_what_is_only_slow_comes_to_its_end(line):
    """Each time it is given twice as long: half a second, one, two."""
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with line.connection() as db:
                await db.execute(SLOW)

    async with line.connection() as db:
        await db.execute(SLOW)


async def test_a_line_that_answered_is_impatient_again(line):
    with pytest.raises(TimeoutError):
        async with line.connection() as db:
            await db.execute(SLOW)
    await backend(line)
    await line.close()

    with pytest.raises(TimeoutError):
        async with line.connection() as db:
            await db.execute(query("select pg_sleep(0.75)"))


async def test_a_statement_that_fails_costs_no_connection(line):
    before = await backend(line)

    with pytest.raises(Exception, match="division by zero"):
        async with line.connection() as db:
            await db.execute(query("select 1 / 0"))

    assert await backend(line) == before


async def test_a_line_that_is_replaced_has_ended_what_it_had_begun(line, raw):
    """It may be slow only, and would be done after we have said that it is not."""
    silent = await backend(line)
    with pytest.raises(TimeoutError):
        async with line.connection() as db:
            await db.execute(query("create table late as select 1 as one from pg_sleep(1)"))

    await backend(line)

    left = await raw.fetchval("select count(*) from pg_stat_activity where pid = $1", silent)
    assert left == 0
    assert await raw.fetchval("select to_regclass('late')") is None


async def test_a_line_whose_user_gave_up_is_replaced(far, wire):
    """The answer that he did not wait for may never come."""
    line = Line(far)
    silent = await backend(line)
    wire.word, wire.local = b"the bad word", True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), line.connection() as db:
            await db.execute(query("select 'the bad word'"))

    async with asyncio.timeout(DEADLINE):
        assert await backend(line) != silent
    await line.close()
