"""A statement that forgets the project meets that of its scope (behaviour 13.10, T114, ADR 0006).

The tables are asked from the catalogue: a new one without a policy fails here.
"""

import asyncpg
import pytest
import world
from wire.routes import belongings

from strait_server.base import ids
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import NewEvent

OURS, THEIRS = "proj_ours", "proj_theirs"
OF_JOB = "(select jobs.project_id from jobs where jobs.id = it.job_id)"
OWNERS = {
    "projects": "it.id",
    "idempotency_keys": OF_JOB,
    "job_durations": OF_JOB,
    "rate_limit_buckets": (
        "(select jobs.project_id from jobs where it.scope like 'job:' || jobs.id || '%')"
    ),
}
"""Whose a row is, where no column `project_id` says it."""

NAMES = ("project_id", "job_id", "run_id", "scope", "id")
"""The columns by which a row belongs to a project; a table has it by the first of them."""

OF_THE_SYSTEM = {"leases", "outbox", "schema_migrations", "workers"}
GRANTED = {
    "api_keys": {"SELECT", "INSERT", "UPDATE"},
    "batch_operations": {"SELECT"},
    "blocked": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "idempotency_keys": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "jobs": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "leases": {"SELECT"},
    "outbox": {"INSERT"},
    "project_quotas": {"SELECT", "INSERT", "UPDATE"},
    "projects": {"SELECT", "UPDATE"},
    "queue": {"SELECT", "INSERT", "DELETE"},
    "rate_limit_buckets": {"SELECT", "INSERT", "UPDATE"},
    "run_events": {"SELECT"},
    "run_payloads": {"SELECT", "INSERT", "UPDATE"},
    "runs": {"SELECT", "INSERT", "UPDATE"},
    "scheduled": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "secrets": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "slots": {"SELECT", "INSERT", "DELETE"},
    "unsuccessful_runs": {"SELECT", "INSERT", "DELETE"},
    "workers": {"SELECT"},
}


@pytest.fixture
async def tables(db):
    """Put rows of two projects into every table, and let policies alone decide: all is granted."""
    for project_id in (OURS, THEIRS):
        await one_of_each(db, project_id)
    await db.raw.execute("grant all on all tables in schema public to strait_tenant")
    return [name for name in await catalogue(db) if name not in OF_THE_SYSTEM]


async def one_of_each(db, project_id):
    """Make a row of the project in every table."""
    made = await belongings(db, project_id)
    job = await world.the_job(db, made["job_id"])
    await world.a_quota(db, project_id=project_id, max_jobs=7)
    for place, columns, values in (
        (
            "run_events",
            "id, run_id, project_id, type, level",
            f"'{ids.new_id()}', $1, $3, 'log', 'info'",
        ),
        ("slots", "run_id, gate, project_id", "$1, 'job:' || $2::text, $3"),
        ("unsuccessful_runs", "run_id, job_id, project_id, status", "$1, $2, $3, 'failed'"),
        (
            "scheduled",
            "run_id, job_id, project_id, due_at, reason, priority",
            "$1, $2, $3, now(), 'delay', 0",
        ),
        (
            "blocked",
            "run_id, job_id, project_id, gate, rank, priority",
            "$1, $2, $3, 'job:' || $2::text, 1, 0",
        ),
        ("endpoint_circuits", "project_id, endpoint", "$3, 'http://one.example'"),
        ("job_durations", "job_id, hour, bucket, runs", "$2, now(), 1, 1"),
        (
            "rate_limit_buckets",
            "scope, leaves_at, admitted",
            "'job:' || $2::text || ':60:a', now(), 1",
        ),
    ):
        await db.raw.execute(
            f"insert into {place} ({columns}) select {values} "  # noqa: S608 - written above
            "from (select $1::uuid as run_id, $2::uuid as job_id, $3::text as project_id) as used",
            made["run_id"],
            job.id,
            project_id,
        )


async def catalogue(db):
    """List the tables there are, without partitions: nobody names those."""
    rows = await db.raw.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p') and not relispartition order by relname"
    )
    return [row["relname"] for row in rows]


async def column_of(db, table):
    """Tell by which column a row belongs to a project."""
    columns = await db.raw.fetchval(
        "select array_agg(attname::text) from pg_attribute"
        " where attrelid = $1::regclass and attnum > 0",
        table,
    )
    return next(name for name in NAMES if name in columns)


async def rows_of(db, table, project_id=None):
    """Read rows as texts: all that can be met, or those of one project."""
    owner = OWNERS.get(table, "it.project_id")
    condition = f" where {owner} = '{project_id}'" if project_id else ""
    rows = await db.raw.fetch(
        f"select to_jsonb(it)::text from {table} as it{condition}"  # noqa: S608 - from the catalogue
    )
    return sorted(row[0] for row in rows)


async def enter(db, project_id):
    """Be the tenant, in a project; None: be the owner again."""
    role = "strait_tenant" if project_id else "none"
    await db.raw.execute(f"set role {role}")
    await db.raw.execute("select set_config('app.current_project_id', $1, false)", project_id or "")


async def test_a_statement_without_a_filter_meets_the_rows_of_the_project(db, tables):
    """T114."""
    ours = {table: await rows_of(db, table, OURS) for table in tables}
    theirs = {table: await rows_of(db, table, THEIRS) for table in tables}

    await enter(db, OURS)
    met = {table: await rows_of(db, table) for table in tables}

    assert [table for table in tables if not (ours[table] and theirs[table])] == []
    assert met == ours


@pytest.mark.parametrize("setting", [None, ""])
async def test_without_a_project_there_is_nothing(database, db, tables, setting):
    """T114: on a connection of its own, where nobody has ever set it."""
    assert database
    await db.raw.execute("set role strait_tenant")
    if setting is not None:
        await db.raw.execute("select set_config('app.current_project_id', $1, false)", setting)

    met = {table for table in tables if await rows_of(db, table)}

    assert met == set()


async def test_a_row_of_another_project_can_be_neither_changed_nor_deleted(db, tables):
    theirs = {table: (await rows_of(db, table, THEIRS))[0] for table in tables}
    columns = {table: await column_of(db, table) for table in tables}
    await enter(db, OURS)

    done = {
        await db.raw.execute(f"{verb} where to_jsonb(it)::text = $1", row)
        for table, row in theirs.items()
        for verb in (
            f"update {table} as it set {columns[table]} = {columns[table]}",  # noqa: S608 - as above
            f"delete from {table} as it",  # noqa: S608 - from the catalogue
        )
    }

    assert done == {"UPDATE 0", "DELETE 0"}


async def test_a_row_of_another_project_cannot_be_inserted(db, tables):
    theirs = {table: (await rows_of(db, table, THEIRS))[0] for table in tables}
    await enter(db, OURS)

    refused = {
        table: await refusal(
            db,
            f"insert into {table} select (jsonb_populate_record(null::{table}, $1::text::jsonb)).*",
            row,
        )
        for table, row in theirs.items()
    }

    assert set(refused.values()) == {asyncpg.InsufficientPrivilegeError}, refused


@pytest.mark.parametrize(
    "statement",
    [
        "insert into run_payloads (run_id, project_id, payload) values ($1, $2, '{}')",
        (
            "insert into run_events (id, run_id, project_id, type, level)"
            " values ($1, $1, $2, 'log', 'info')"
        ),
    ],
)
async def test_of_a_run_that_is_not_there_only_what_is_ours_can_be_inserted(db, tables, statement):
    """T114: no key refuses it, for there is no row yet."""
    await enter(db, OURS)

    refused = [await refusal(db, statement, ids.new_id(), whose) for whose in (THEIRS, OURS)]

    assert refused == [asyncpg.InsufficientPrivilegeError, None]


async def test_what_is_written_for_several_projects_at_once_names_that_of_each_run(db):
    """T114: payloads and events repeat it, for the policies."""
    jobs = [await world.a_job(db, project_id=project_id) for project_id in (OURS, THEIRS)] * 2
    runs = [world.new_run(job) for job in jobs]

    await queue.enqueue(db, runs, worth=world.WORTH)
    await world.claim(db, 10)
    await queue.tell(db, [an_event(run) for run in runs])

    for table in ("run_payloads", "run_events"):
        rows = await db.raw.fetch(f"select run_id, project_id from {table}")  # noqa: S608 - above
        assert {tuple(row) for row in rows} == {(run.id, run.project_id) for run in runs}


async def test_a_row_cannot_be_moved_into_another_project(db, tables):
    columns = {table: await column_of(db, table) for table in tables}
    elsewhere = {
        table: await db.raw.fetchval(
            f"select it.{column} from {table} as it"  # noqa: S608 - from the catalogue
            f" where {OWNERS.get(table, 'it.project_id')} = $1",
            THEIRS,
        )
        for table, column in columns.items()
    }
    await enter(db, OURS)

    refused = {
        table: await refusal(db, f"update {table} set {column} = $1", elsewhere[table])  # noqa: S608 - as above
        for table, column in columns.items()
    }

    assert set(refused.values()) == {asyncpg.InsufficientPrivilegeError}, refused


def an_event(run):
    return NewEvent(
        id=ids.new_id(), run_id=run.id, attempt=1, type="log", level="info", message="m"
    )


async def refusal(db, statement, *values):
    """Tell how PostgreSQL refuses a statement; None: it does not."""
    try:
        async with db.raw.transaction():
            await db.raw.execute(statement, *values)
    except asyncpg.PostgresError as error:
        return type(error)
    return None


async def test_every_table_has_a_policy_or_is_the_systems(db):
    guarded = await db.raw.fetch(
        "select distinct relname from pg_class join pg_policy on polrelid = pg_class.oid"
        " where relrowsecurity"
    )

    assert {row["relname"] for row in guarded} | OF_THE_SYSTEM == set(await catalogue(db))


async def test_the_role_of_tenants_may_do_what_requests_do_and_no_more(db):
    rows = await db.raw.fetch(
        "select table_name, privilege_type from information_schema.role_table_grants"
        " where grantee = 'strait_tenant'"
    )
    granted = {}
    for row in rows:
        granted.setdefault(row["table_name"], set()).add(row["privilege_type"])

    assert granted == GRANTED


async def test_the_policies_do_not_hold_the_owner(db, tables):
    """Workers and loops work for all projects."""
    hidden = await db.raw.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and row_security_active(oid)"
    )

    assert tables
    assert hidden == []
