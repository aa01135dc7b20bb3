"""What a list reads does not grow with what there is, nor with what others own (ADR 0005).

PostgreSQL counts the rows it looked at. It plans a statement anew five times,
and then may settle for a plan that knows no values: so each list is asked for
more often than that.
"""

import world

CROWD = 20_000
OFTEN = 8
NEWEST = 2_000
FEW = 500

INSERT = """
    insert into runs (
        id, project_id, job_id, status, job_version, created_at, queued_at, finished_at)
    select
        (substr(id_floor(now() - n * interval '1 ms')::text, 1, 24) || lpad(n::text, 12, '0'))
            ::uuid,
        $1, $2, $3, 1, now(), now(), case when $3 <> 'queued' then now() end
    from generate_series($4::integer, $5::integer) as n order by n desc
"""
PLACE = """
    insert into queue (priority, run_id, job_id, project_id)
    select 0, id, job_id, project_id from runs where status = 'queued' and project_id = $1
"""
NOTE = """
    insert into unsuccessful_runs (run_id, project_id, job_id, status)
    select id, project_id, job_id, status from runs where status = 'canceled' and project_id = $1
"""
READ = """
    select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::integer
    from pg_stat_xact_user_tables
    where relname like 'runs%' or relname in ('queue', 'unsuccessful_runs')
"""


async def some_runs(db, project_id, status, *, first=1, count):
    """Make runs behind everybody's back; the higher their number, the older they are."""
    job = await world.a_job(db, project_id=project_id)
    await db.raw.execute(INSERT, project_id, job.id, status, first, first + count - 1)


async def settle(db):
    for project_id in ("crowd", world.PROJECT):
        await db.raw.execute(PLACE, project_id)
        await db.raw.execute(NOTE, project_id)
    await db.raw.execute("analyze runs")
    await db.raw.execute("analyze queue")
    await db.raw.execute("analyze unsuccessful_runs")


async def rows_read(db, client, path):
    """Ask often; tell how many rows the last answer took, and the answer."""
    for _ in range(OFTEN):
        before = await db.raw.fetchval(READ)
        answer = await client.get(path)
    return await db.raw.fetchval(READ) - before, answer.json()


async def test_a_list_reads_no_further_than_its_page(client, db):
    await some_runs(db, world.PROJECT, "queued", count=CROWD)
    await settle(db)

    read, page = await rows_read(db, client, "/v1/runs?status=queued&limit=10")

    assert page["has_more"]
    assert read < 3 * NEWEST


async def test_a_list_of_queued_runs_passes_over_other_projects_queues(client, db):
    """Its 2,000 newest runs are looked at first, and none of them is queued."""
    await some_runs(db, "crowd", "queued", first=10_000, count=CROWD)
    await some_runs(db, world.PROJECT, "completed", first=1, count=NEWEST + 100)
    await some_runs(db, world.PROJECT, "queued", first=3_000, count=3)
    await settle(db)

    read, page = await rows_read(db, client, "/v1/runs?status=queued")

    assert len(page["data"]) == 3
    assert read < 3 * NEWEST


async def test_counts_pass_over_other_projects_queues_and_ones_own_history(client, db):
    await some_runs(db, "crowd", "queued", first=20_000, count=CROWD)
    await some_runs(db, world.PROJECT, "canceled", first=1, count=CROWD // 2)
    await some_runs(db, world.PROJECT, "queued", first=15_000, count=3)
    await settle(db)

    read, stats = await rows_read(db, client, "/v1/stats")

    assert stats["queued"] == 3
    assert read < FEW
