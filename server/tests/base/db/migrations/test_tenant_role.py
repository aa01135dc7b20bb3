"""The role of tenants is the cluster's: who may make it, and what is without it (ADR 0006)."""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager

import asyncpg
import pytest
import world
from base.db.embedded.machine import a_home_of_another_version, an_open_folder

from strait_server.base.db import scope
from strait_server.base.db.database import Database
from strait_server.base.db.embedded import server as embedded
from strait_server.base.db.migrations.files import load_migrations
from strait_server.base.db.migrations.runner import migrate
from strait_server.base.db.queries import Query

SECRETS = {name: world.ENVIRON[name] for name in ("INTERNAL_SECRET", "JWT_SIGNING_KEY")}
WHO = Query("who", "select current_user::text", ())


@pytest.fixture(scope="module", params=["ours", "older"])
def cluster(request):
    """Start a server where nobody has migrated anything: of our version, or of an older one."""
    with an_open_folder() if request.param == "ours" else a_home_of_another_version() as folder:
        home = folder / "strait" if request.param == "ours" else folder
        server = embedded.start(home, log=lambda _: None, settings={"fsync": "off"})
        yield server
        server.stop()


@pytest.fixture
async def superuser(cluster):
    """Open the superuser's connection; what the test has made of databases and roles goes."""
    raw = await asyncpg.connect(cluster.dsn)
    yield raw
    for row in await raw.fetch("select datname from pg_database where datname like 'db_%'"):
        await raw.execute(f"drop database {row[0]} with (force)")
    for row in await raw.fetch("select rolname from pg_roles where rolname ~ '^(login_|strait_t)'"):
        await raw.execute(f"drop role {row[0]}")
    await raw.close()


@pytest.fixture
async def hire(cluster, superuser):
    """Make a user with a database of his own; answers its address."""

    async def _hire(name, attributes=""):
        await superuser.execute(f"create role login_{name} login password 'p' {attributes}")
        await superuser.execute(f"create database db_{name} owner login_{name}")
        return f"postgresql://login_{name}:p@127.0.0.1:{cluster.port}/db_{name}"

    return _hire


async def migrated(dsn):
    raw = await asyncpg.connect(dsn)
    try:
        await migrate(raw, load_migrations(), lock_seconds=30)
        return await scope.complete(raw)
    finally:
        await raw.close()


async def who(database, project_id=None):
    async with database.connection(project_id) as db:
        return await db.row(str, WHO)


@asynccontextmanager
async def a_database(dsn):
    database = Database(dsn, max_connections=1)
    yield database
    await database.close()


@pytest.mark.parametrize("attributes", ["createrole", "superuser"])
async def test_who_may_make_roles_makes_this_one(hire, attributes):
    dsn = await hire("maker", attributes)

    wall = await migrated(dsn)

    assert wall.is_whole
    async with a_database(dsn) as database:
        assert await who(database, "proj_1") == "strait_tenant"
        assert await who(database) == "login_maker"


async def test_who_may_not_works_as_the_owner_and_is_told_what_to_do(hire, superuser):
    dsn = await hire("plain")

    wall = await migrated(dsn)

    assert (wall.has_policies, wall.is_whole, wall.hidden_by) == (True, False, None)
    async with a_database(dsn) as database:
        assert await who(database, "proj_1") == "login_plain"

    await superuser.execute(wall.remedy)

    assert (await migrated(dsn)).is_whole
    async with a_database(dsn) as database:
        assert await who(database, "proj_1") == "strait_tenant"


async def test_a_role_that_somebody_else_has_made_only_needs_to_be_granted(hire, superuser):
    await migrated(await hire("maker", "createrole"))
    dsn = await hire("plain")

    wall = await migrated(dsn)
    await superuser.execute(wall.remedy)

    assert wall.remedy == "grant strait_tenant to login_plain;"
    assert (await migrated(dsn)).is_whole


async def test_databases_that_are_migrated_together_share_the_role(hire):
    addresses = [await hire(f"maker_{n}", "superuser") for n in range(6)]

    walls = await asyncio.gather(*map(migrated, addresses))

    assert [wall.is_whole for wall in walls] == [True] * 6


async def test_what_was_a_wall_is_no_gap_when_it_falls(hire, superuser):
    """T114: who had scopes and cannot enter one any more does nothing at all."""
    dsn = await hire("plain")
    await superuser.execute("create role strait_tenant nologin")
    await superuser.execute("grant strait_tenant to login_plain")
    await migrated(dsn)
    async with a_database(dsn) as database:
        assert await who(database, "proj_1") == "strait_tenant"

        await superuser.execute("revoke strait_tenant from login_plain")

        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await who(database)
            await who(database, "proj_1")
        assert await who(database) == "login_plain"


async def test_a_migration_says_in_one_line_what_a_superuser_has_to_run(hire, tmp_path):
    """The command line, as an operator meets it; data on standard output, the line beside it."""
    dsn = await hire("plain")

    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "strait_cli", "migrate", "-o", "compact"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "DATABASE_URL": dsn},
            cwd=tmp_path,
        )
        _, logged = await process.communicate()
        [line] = logged.decode().splitlines()

        assert process.returncode == 0
        assert json.loads(line)["level"].lower().startswith("warn")
        assert "`create role strait_tenant nologin; grant strait_tenant to login_plain;`" in line


async def test_a_user_from_whom_the_policies_hide_every_row_is_refused(hire, superuser, tmp_path):
    dsn = await hire("owner", "createrole")
    await migrated(dsn)
    await superuser.execute("create role login_other login password 'p'")
    owner = await asyncpg.connect(dsn)
    await owner.execute("grant select on all tables in schema public to login_other")
    await owner.close()
    other = dsn.replace("login_owner", "login_other")

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "strait_server"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": other, "PORT": "0", **SECRETS},
        cwd=tmp_path,
    )
    said, _ = await process.communicate()

    assert process.returncode == 3
    assert b"DATABASE_URL: the user login_other does not own the tables" in said
    assert b"grant login_owner to login_other" in said
