"""Migrations: forward, once, and never half (behaviour 17.1; style 5)."""

import asyncio

import pytest
from base.db.migrations.steps import ONE, TWO, a_file, outside, tables

from strait_server.base.db.migrations.errors import (
    MigrationFailed,
    MigrationLocked,
    SchemaMismatch,
)
from strait_server.base.db.migrations.files import load_migrations
from strait_server.base.db.migrations.runner import applied, check, migrate, pending, prepare
from strait_server.base.db.outage import FAILURES, is_outage
from strait_server.base.settings import MigrationMode

DEADLINE = 30.0


async def test_files_are_applied_in_order_and_booked(raw):
    done = await migrate(raw, [ONE, TWO], lock_seconds=1)

    assert done == ["0001_one", "0002_two"]
    assert await tables(raw) == ["one", "schema_migrations", "two"]
    assert [(row.version, row.name, row.checksum, row.dirty) for row in await applied(raw)] == [
        (1, "0001_one", ONE.checksum, False),
        (2, "0002_two", TWO.checksum, False),
    ]


async def test_each_file_is_applied_once(raw):
    await migrate(raw, [ONE], lock_seconds=1)

    assert await migrate(raw, [ONE, TWO], lock_seconds=1) == ["0002_two"]
    assert await migrate(raw, [ONE, TWO], lock_seconds=1) == []
    assert await raw.fetchval("select array_agg(id) from one") == [7]


async def test_a_failing_file_leaves_the_database_as_before(raw):
    broken = a_file(2, "create table half ();\ninsert into one values (1), (1);")

    with pytest.raises(MigrationFailed):
        await migrate(raw, [ONE, broken], lock_seconds=1)

    assert await tables(raw) == ["one", "schema_migrations"]
    assert [row.name for row in await applied(raw)] == ["0001_one"]


async def test_a_failure_names_the_place_and_what_postgresql_said(raw):
    broken = a_file(1, "create table one (\n    id int,\n    other nonsense\n);")

    with pytest.raises(MigrationFailed) as failure:
        await migrate(raw, [broken], lock_seconds=1)

    assert failure.value.message == '0001_step.sql, line 5: type "nonsense" does not exist'


@pytest.mark.parametrize("look", [check, pending, lambda *step: migrate(*step, lock_seconds=1)])
async def test_a_database_that_cannot_hold_every_text_is_refused(raw, connect, look):
    await raw.execute("create database narrow encoding 'LATIN1' locale 'C' template template0")
    narrow = await connect(database="narrow")

    with pytest.raises(SchemaMismatch, match=r"LATIN1 .* encoding 'UTF8'"):
        await look(narrow, [ONE])

    assert await tables(narrow) == []
    await narrow.close()
    await raw.execute("drop database narrow")


async def test_a_failure_without_a_position_names_the_statement(raw):
    broken = a_file(
        1, "create table a (id int unique);\n\n-- twice\ninsert into a values (1), (1);"
    )

    with pytest.raises(MigrationFailed, match=r"0001_step\.sql, line 6: duplicate key") as failure:
        await migrate(raw, [broken], lock_seconds=1)

    assert failure.value.problems[0] == "Key (id)=(1) already exists."


async def test_a_connection_that_is_lost_is_no_failure_of_the_statement(raw):
    last = outside(1, "select pg_terminate_backend(pg_backend_pid());")

    with pytest.raises(FAILURES) as failure:
        await migrate(raw, [last], lock_seconds=1)

    assert is_outage(failure.value)


async def test_a_failed_migration_lets_go_of_the_lock(raw, connect):
    with pytest.raises(MigrationFailed):
        await migrate(raw, [a_file(1, "select nonsense;")], lock_seconds=1)

    assert await migrate(await connect(), [ONE], lock_seconds=0) == ["0001_one"]


async def test_an_index_is_made_concurrently_outside_a_transaction(raw):
    index = outside(2, "create index concurrently a on one (id);\ncreate index b on one (id);")

    await migrate(raw, [ONE, index], lock_seconds=1)

    assert await raw.fetchval("select count(*) from pg_indexes where tablename = 'one'") == 3
    assert [row.dirty for row in await applied(raw)] == [False, False]


async def test_a_file_that_stopped_half_way_stops_everybody(raw):
    half = outside(2, "create table half ();\nselect nonsense;")
    with pytest.raises(MigrationFailed):
        await migrate(raw, [ONE, half], lock_seconds=1)

    for refused in (
        migrate(raw, [ONE, half], lock_seconds=1),
        pending(raw, [ONE, half]),
        check(raw, [ONE, half]),
    ):
        with pytest.raises(SchemaMismatch, match=r"0002_step is half done.*dirty = false"):
            await refused


async def test_a_half_done_file_that_was_finished_by_hand_is_done(raw):
    half = outside(1, "create table half ();\nselect nonsense;")
    with pytest.raises(MigrationFailed):
        await migrate(raw, [half], lock_seconds=1)

    await raw.execute("update schema_migrations set dirty = false")

    await check(raw, [half])


async def test_servers_that_start_together_apply_each_file_once(connect):
    connections = [await connect() for _ in range(4)]

    done = await asyncio.gather(
        *(migrate(each, [ONE, TWO], lock_seconds=DEADLINE) for each in connections)
    )

    assert sorted(done) == [[], [], [], ["0001_one", "0002_two"]]


async def test_a_waiting_server_does_not_hold_up_a_concurrent_index(connect):
    """`create index concurrently` waits for every snapshot: the waiting server must hold none."""
    files = [ONE, outside(2, "create index concurrently a on one (id);")]
    pair = [await connect(), await connect()]

    async with asyncio.timeout(DEADLINE):
        done = await asyncio.gather(*(migrate(each, files, lock_seconds=DEADLINE) for each in pair))

    assert sorted(done) == [[], ["0001_one", "0002_step"]]


async def test_waiting_for_the_lock_ends_at_the_deadline(raw, connect):
    other = await connect()
    await other.fetchval("select pg_advisory_lock(hashtextextended('strait.migrations', 0))")

    with pytest.raises(MigrationLocked):
        await migrate(raw, [ONE], lock_seconds=0.2)

    assert await tables(raw) == []


async def test_the_time_limits_of_requests_do_not_bind_migrations(connect):
    raw = await connect(statement_timeout="20ms")

    await migrate(raw, [a_file(1, "select pg_sleep(0.1);")], lock_seconds=1)

    assert await raw.fetchval("show statement_timeout") == "20ms"


async def test_an_empty_database_has_everything_pending(raw):
    assert await pending(raw, [ONE, TWO]) == [ONE, TWO]
    with pytest.raises(SchemaMismatch, match="lacks 2 migrations, from 0001_one on"):
        await check(raw, [ONE, TWO])


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ([ONE], "0002_two was applied by a newer version"),
        ([ONE, a_file(2, "select 2;", name="two")], "0002_two was changed after it was applied"),
        ([ONE, a_file(2, "select 2;", name="too")], "0002_too was changed.* as 0002_two"),
    ],
)
async def test_another_past_is_refused(raw, files, problem):
    await migrate(raw, [ONE, TWO], lock_seconds=1)

    with pytest.raises(SchemaMismatch, match=problem):
        await migrate(raw, files, lock_seconds=1)
    with pytest.raises(SchemaMismatch, match=problem):
        await check(raw, files)


async def test_a_gap_is_refused(raw):
    await migrate(raw, [ONE, TWO], lock_seconds=1)
    await raw.execute("delete from schema_migrations where version = 1")

    with pytest.raises(SchemaMismatch, match="0001_one was left out, though 0002 was applied"):
        await pending(raw, [ONE, TWO])


async def test_in_auto_mode_a_start_applies(raw):
    done = await prepare(raw, [ONE], mode=MigrationMode.AUTO, lock_seconds=1)

    assert done == (["0001_one"], [])


async def test_in_manual_mode_a_start_only_looks(raw):
    done = await prepare(raw, [ONE], mode=MigrationMode.MANUAL, lock_seconds=1)

    assert done == ([], ["0001_one"])
    assert await tables(raw) == []


async def test_in_validate_mode_a_start_refuses_what_is_pending(raw):
    with pytest.raises(SchemaMismatch):
        await prepare(raw, [ONE], mode=MigrationMode.VALIDATE, lock_seconds=1)

    await migrate(raw, [ONE], lock_seconds=1)

    assert await prepare(raw, [ONE], mode=MigrationMode.VALIDATE, lock_seconds=1) == ([], [])


async def test_our_own_migrations_apply(raw):
    files = load_migrations()

    assert await migrate(raw, files, lock_seconds=1) == [file.name for file in files]
    await check(raw, files)
