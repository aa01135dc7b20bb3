"""A connection stands in the scope for which it is lent, whoever had it before (T114, ADR 0006)."""

import asyncio

import asyncpg
import pytest
import world

from strait_server.base.db.database import Database
from strait_server.base.db.queries import Query

OURS, THEIRS, ALL = "proj_ours", "proj_theirs", None
JOBS = Query("jobs", "select project_id from jobs order by project_id", ())
JOBS_OF = Query("jobs_of", "select project_id from jobs where project_id = $1", ("project_id",))
MET = {OURS: [OURS], THEIRS: [THEIRS], ALL: [OURS, THEIRS]}
OFTEN = 8
"""More often than PostgreSQL plans a statement for its values."""


@pytest.fixture
async def one(database, db):
    """Make a pool of one connection, to a database where two projects have a job each."""
    for project_id in (OURS, THEIRS):
        await world.a_job(db, project_id=project_id)
    one = Database(database.dsn, max_connections=1)
    yield one
    await one.close()


async def met(one, project_id):
    async with one.connection(project_id) as db:
        return await db.rows(str, JOBS)


async def test_who_is_lent_a_connection_meets_his_own_rows(one):
    """T114: the connection, its prepared statements and their plans are the same ones."""
    for _ in range(OFTEN):
        for project_id in (OURS, THEIRS, ALL, THEIRS, OURS, ALL):
            assert await met(one, project_id) == MET[project_id]


async def test_a_plan_for_a_value_does_not_outlive_the_scope(one):
    """T114: also where the statement asks for a project."""
    for scope in (THEIRS, OURS, THEIRS, ALL):
        for asked in (OURS, THEIRS):
            for _ in range(OFTEN):
                async with one.connection(scope) as db:
                    found = await db.rows(str, JOBS_OF, project_id=asked)
                assert found == ([asked] if scope in {asked, ALL} else [])


async def test_the_same_scope_again_asks_nothing(one, raw):
    """What PostgreSQL heard last on that connection is still the statement before."""
    heard = []
    for project_id in (OURS, OURS, THEIRS, ALL, ALL):
        async with one.connection(project_id) as db:
            heard.append(
                await raw.fetchval(
                    "select query like '%set_config(''role%' from pg_stat_activity where pid = $1",
                    db.raw.get_server_pid(),
                )
            )
            await db.rows(str, JOBS)

    assert heard == [True, False, True, True, False]


async def test_whoever_is_interrupted_on_his_way_into_a_scope_leaves_nobody_in_it(one):
    """T114: at whatever moment that is."""
    for turns in range(OFTEN * 6):
        assert await met(one, OURS) == MET[OURS]
        entering = asyncio.create_task(met(one, THEIRS))
        for _ in range(turns):
            await asyncio.sleep(0)
        entering.cancel()
        await asyncio.wait([entering])

        first = (ALL, OURS, THEIRS)[turns % 3]
        assert await met(one, first) == MET[first]


async def test_a_scope_that_could_not_be_entered_is_not_taken_for_one_that_was(one):
    """T114: no text of PostgreSQL's contains a NUL."""
    for project_id in (OURS, THEIRS):
        assert await met(one, project_id) == MET[project_id]
        for _ in range(2):
            with pytest.raises(asyncpg.CharacterNotInRepertoireError):
                await met(one, "\0")

    assert await met(one, OURS) == MET[OURS]


async def test_a_scope_outlives_a_transaction_that_failed_in_it(one):
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with one.connection(OURS) as db, db.transaction():
            await db.raw.execute("select 1/0")

    assert await met(one, OURS) == MET[OURS]
    assert await met(one, THEIRS) == MET[THEIRS]


async def test_in_a_scope_names_mean_what_they_mean_to_the_owner(database, raw):
    """`"$user"` in a search path is another one for each role."""
    await raw.execute("create schema strait; create table strait.mine (id int)")
    await raw.execute("grant usage on schema strait to strait_tenant")
    await raw.execute("grant select on strait.mine to strait_tenant")

    async with database.connection(OURS) as db:
        assert await db.raw.fetch("select id from mine") == []
