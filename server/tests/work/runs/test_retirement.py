"""Old runs go, and nothing else does (behaviour 8.5, 8.6; traps T86, T87, T93s)."""

from datetime import timedelta

import pytest
import world

from strait_server.base.ids import new_id
from strait_server.base.telemetry.metrics import Metrics
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import FINAL, NewEvent, Status
from strait_server.work.runs.service.retirement import Retirement, ensure_months

SHORT, LONG = timedelta(days=30), timedelta(days=90)
KEPT_LONG = {Status.TIMED_OUT, Status.CRASHED, Status.SYSTEM_FAILED, Status.DEAD_LETTER}


async def aged(db, run, days):
    """Let a run, and all that is its own, be so many days old. Answers its new id."""
    raw = db.raw
    old = await raw.fetchval("select id_floor(now() - make_interval(days => $1))", days)
    tail = str(new_id())[14:]
    run_id = f"{str(old)[:14]}{tail}"
    await _month_of(db, old)
    await raw.execute("update run_events set run_id = $2 where run_id = $1", run.id, run_id)
    for table in ("run_payloads", "unsuccessful_runs", "queue", "scheduled"):
        await raw.execute(
            f"update {table} set run_id = $2 where run_id = $1",  # noqa: S608 - names of ours
            run.id,
            run_id,
        )
    await raw.execute(
        "update runs set id = $2, created_at = now() - make_interval(days => $3), "
        "finished_at = finished_at - make_interval(days => $3) "
        "where id = $1",
        run.id, run_id, days,
    )  # fmt: skip
    return run_id


async def _month_of(db, run_id):
    """Make the partitions of a month so far back that they do not come by themselves."""
    await db.raw.execute(
        f"""
        do $$
        declare
            month timestamptz := date_trunc('month', to_timestamp(
                ('x' || substr(replace('{run_id}', '-', ''), 1, 12))::bit(48)::bigint / 1000.0));
            parent text;
        begin
            foreach parent in array array['runs', 'run_payloads', 'run_events'] loop
                execute format(
                    'create table if not exists %I partition of %I '
                    'for values from (%L) to (%L)',
                    parent || to_char(month, '_YYYY_MM'), parent, id_floor(month),
                    id_floor(month + interval '1 month'));
            end loop;
        end $$
        """
    )


async def retire(db, *, short=SHORT, long=LONG):
    """Take every step until there is nothing to do."""
    retirement = Retirement(short=short, long=long, deleted=Metrics().loops.reaper_records_deleted)
    steps = 0
    while await retirement.step(db):
        steps += 1
        assert steps < 20
    return retirement


async def remaining(db):
    rows = await db.raw.fetch("select id from runs")
    return {str(row[0]) for row in rows}


@pytest.mark.parametrize("status", sorted(FINAL))
async def test_a_final_run_goes_when_its_time_has_come(db, status):
    """T86."""
    keep = 90 if status in KEPT_LONG else 30
    young, old = [await world.a_run(db, status=status) for _ in range(2)]
    await aged(db, old, keep + 1)
    young_id = await aged(db, young, keep - 1)

    await retire(db)

    assert await remaining(db) == {young_id}


async def test_all_that_is_its_own_goes_with_it(db):
    run = await world.a_run(db, status=Status.EXECUTING)
    event = NewEvent(id=new_id(), run_id=run.id, attempt=1, type="log", level="info", message="m")
    await queue.tell(db, [event])
    await world.cancel(db, run.id)
    await aged(db, run, 31)

    await retire(db)

    for table in ("runs", "run_payloads", "run_events", "unsuccessful_runs"):
        assert await world.count(db, table) == 0, table


@pytest.mark.parametrize(
    "status",
    [Status.DELAYED, Status.QUEUED, Status.DEQUEUED, Status.EXECUTING, Status.WAITING],
)
async def test_a_run_that_is_not_final_never_goes(db, status):
    run = await world.a_run(db, status=status)
    run_id = await aged(db, run, 4000)

    await retire(db)

    assert await remaining(db) == {run_id}


async def test_dead_letters_can_be_kept_forever(db):
    run_id = await aged(db, await world.a_run(db, status=Status.DEAD_LETTER), 4000)
    await aged(db, await world.a_run(db, status=Status.COMPLETED), 31)

    await retire(db, long=timedelta(0))

    assert await remaining(db) == {run_id}


async def test_a_run_whose_parent_goes_on_stays(db):
    parent = await world.a_run(db, status=Status.WAITING)
    child = await aged(db, await world.a_run(db, status=Status.COMPLETED), 31)
    await db.raw.execute("update runs set parent_run_id = $1 where id = $2", parent.id, child)

    await retire(db)
    assert child in await remaining(db)

    await world.cancel(db, parent.id)
    await retire(db)
    assert child not in await remaining(db)


async def test_what_must_stay_does_not_hold_up_what_may_go(db):
    """T87: more runs that must stay than one step looks at stand in front."""
    job = await world.a_job(db)
    await _month_of(db, await db.raw.fetchval("select id_floor(now() - interval '40 days')"))
    for status, count, days in (("dead_letter", 5200, 40), ("completed", 10, 31)):
        await db.raw.execute(
            """
            insert into runs (id, project_id, job_id, status, job_version, finished_at)
            select overlay(id_floor(now() - make_interval(days => $3))::text
                    placing lpad(to_hex(n), 12, '0') from 25)::uuid,
                'proj_1', $1, $4, 1, now() - make_interval(days => $3)
            from generate_series(1, $2) as n
            """,
            job.id, count, days, status,
        )  # fmt: skip

    await retire(db)

    assert await world.statuses(db) == {Status.DEAD_LETTER: 5200}


async def test_a_walk_goes_on_where_it_was_and_begins_anew_later(db):
    retirement = await retire(db)
    first = await aged(db, await world.a_run(db, status=Status.COMPLETED), 40)
    assert await retirement.step(db) == 1
    assert await retirement.step(db) == 0

    passed = await aged(db, await world.a_run(db, status=Status.COMPLETED), 50)
    assert await retirement.step(db) == 0
    retirement._begun -= 3600
    await retirement.step(db)

    assert await retirement.step(db) == 1
    assert not {first, passed} & await remaining(db)


async def months(db, parent="runs"):
    rows = await db.raw.fetch(
        "select relname from pg_class join pg_inherits on oid = inhrelid "
        "where inhparent = $1::text::regclass order by 1",
        parent,
    )
    return [row[0].removeprefix(f"{parent}_") for row in rows]


async def test_a_month_of_which_nothing_is_left_is_dropped(db):
    before = await months(db)
    await aged(db, await world.a_run(db, status=Status.DEAD_LETTER), 400)
    assert len(await months(db)) == len(before) + 1

    await retire(db)

    for parent in ("runs", "run_payloads", "run_events"):
        assert await months(db, parent) == before
    assert await world.count(db, "unsuccessful_runs") == 0


async def test_a_month_goes_whole_when_the_walk_is_behind(db):
    before = await months(db)
    await aged(db, await world.a_run(db, status=Status.DEAD_LETTER), 400)

    assert await queue.drop_spent_month(db, short=SHORT, long=LONG) == 1

    assert await months(db) == before
    assert await queue.drop_spent_month(db, short=SHORT, long=LONG) == 1
    assert await world.count(db, "unsuccessful_runs") == 0


async def test_a_month_that_is_being_read_stays_and_is_not_asked_for_at_once(database):
    """The loop goes on at once while there is more to do: a month in use is no such thing."""
    async with database.connection() as db, database.connection() as reader:
        await aged(db, await world.a_run(db, status=Status.DEAD_LETTER), 400)
        async with reader.transaction():
            await reader.raw.execute("select count(*) from runs")
            assert await queue.drop_spent_month(db, short=SHORT, long=LONG) == 0

        assert await queue.drop_spent_month(db, short=SHORT, long=LONG) == 1


@pytest.mark.parametrize("status", [Status.QUEUED, Status.EXECUTING])
async def test_a_month_with_a_run_that_goes_on_stays(db, status):
    await aged(db, await world.a_run(db, status=status), 400)
    before = await months(db)

    await retire(db)

    assert await months(db) == before


async def test_the_last_months_stay_although_they_are_empty(db):
    before = await months(db)

    await retire(db, short=timedelta(seconds=1), long=timedelta(seconds=1))

    assert await months(db) == before


async def test_the_months_that_will_be_needed_are_there(db):
    """T93s: this one, the one before, and the next two."""
    assert len([month for month in await months(db) if month != "default"]) == 4
    assert await ensure_months(db) == 0

    for parent in ("runs", "run_payloads", "run_events"):
        await db.raw.execute(f"drop table {parent}_{(await months(db))[-2]}")
    assert await ensure_months(db) == 3


async def test_the_default_partitions_stay_empty(db):
    """T93s."""
    for status in (Status.QUEUED, Status.DELAYED, Status.DEAD_LETTER):
        await world.a_run(db, status=status)
    run = await world.a_run(db, status=Status.EXECUTING)
    event = NewEvent(id=new_id(), run_id=run.id, attempt=1, type="log", level="info", message="m")
    await queue.tell(db, [event])

    for parent in ("runs", "run_payloads", "run_events"):
        assert await world.count(db, f"{parent}_default") == 0
