"""Payloads and events from before they named their project (T114, ADR 0006)."""

import asyncio

import pytest
from work.intake.triggering import until, waits_for_a_lock

from strait_server.base.db.connection import Connection
from strait_server.base.db.migrations.files import load_migrations
from strait_server.base.db.migrations.runner import migrate

MIGRATION = "0015_plain_policies"
FILL = """
    create function nth(n integer) returns uuid language sql as $$
        select overlay(
            id_floor(now() - make_interval(months => n % 4))::text
            placing lpad(to_hex(n), 12, '0') from 25)::uuid
    $$;
    insert into runs (id, project_id, job_id, status, job_version)
    select nth(n), 'proj_' || n % 3, nth(n), 'queued', 1 from generate_series(1, 1000) as n;
    insert into run_payloads (run_id, payload)
    select nth(n), to_json(n) from generate_series(1, 1000) as n;
    insert into run_events (id, run_id, type, level)
    select nth(n), nth(n / 2), 'log', 'info' from generate_series(2, 2000) as n;
"""
"""Runs of three projects, this month's and older ones, in and outside of partitions. An event
may be of another month than its run."""


@pytest.fixture
async def go_on(raw):
    """Be where the migration was not applied yet, with rows in place. Answers how to go on."""
    files = load_migrations()
    own = next(n for n, file in enumerate(files) if file.name == MIGRATION)
    await migrate(raw, files[:own], lock_seconds=1)
    await raw.execute(FILL)
    return lambda: migrate(raw, files[: own + 1], lock_seconds=1)


async def named(raw, table):
    """Count the rows of a table by whether they name the project of their run."""
    return await raw.fetch(
        f"select it.project_id = runs.project_id, count(*) from {table} as it"  # noqa: S608 - names of ours
        " left join runs on runs.id = it.run_id group by 1"
    )


async def test_every_row_names_the_project_of_its_run(raw, go_on):
    await go_on()

    assert await named(raw, "run_payloads") == [(True, 1000)]
    assert await named(raw, "run_events") == [(True, 1999)]


async def test_what_belongs_to_no_run_any_more_is_no_obstacle_and_goes(raw, go_on):
    await raw.execute("delete from runs where id = (select id from runs order by id limit 1)")

    await go_on()

    assert await named(raw, "run_payloads") == [(True, 999)]
    assert await named(raw, "run_events") == [(True, 1997)]


async def test_with_nothing_there_nothing_is_to_do(raw, go_on):
    await raw.execute("truncate runs, run_payloads, run_events")

    await go_on()

    assert await named(raw, "run_payloads") == await named(raw, "run_events") == []


async def test_whoever_takes_the_tables_in_the_usual_order_meets_no_deadlock(raw, go_on, connect):
    """As who drops a month or makes one does, of the version before."""
    other, onlooker = await connect(), await connect()

    async with other.transaction():
        await other.execute("lock table runs in access exclusive mode")
        going = asyncio.create_task(go_on())
        await until(lambda: waits_for_a_lock(Connection(onlooker)))
        await other.execute("lock table run_payloads, run_events in access exclusive mode")

    assert await going == [MIGRATION]
