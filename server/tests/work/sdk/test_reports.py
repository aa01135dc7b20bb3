"""What reports change (behaviour 1.4 #11 #12 #15 #19, 5.2 to 5.4; traps T2, T4, T17, T36, T37)."""

import asyncio

import msgspec
import pytest
import world

from strait_server.base.errors import Conflict, TooLarge
from strait_server.base.ids import new_id
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import (
    ORDINALS,
    Finished,
    NewEvent,
    Started,
    Status,
)
from strait_server.work.sdk.model import Log, ResultRefused, Stale
from strait_server.work.sdk.service import Speaker

OPEN = [Status.DEQUEUED, Status.EXECUTING, Status.WAITING]
SCHEMA = b'{"type":"object","required":["ok"]}'


def speaker(run, attempt=1):
    return Speaker(run.id, attempt)


async def moves(db, run):
    packed = await db.raw.fetchval("select moves from runs where id = $1", run.id)
    by_ordinal = {ordinal: str(status) for status, ordinal in ORDINALS.items()}
    return [by_ordinal[move % 16] for move in packed]


@pytest.mark.parametrize("status", OPEN)
async def test_a_run_under_way_is_completed_by_its_code(reports, db, status):
    run = await world.a_run(db, status=status)

    done = await reports.complete(speaker(run), b'{"ok":true}')

    assert (done.status, bytes(done.result)) == (Status.COMPLETED, b'{"ok":true}')
    assert done.finished_at
    assert (done.error, done.heartbeat_at) == (None, None)
    assert await world.count(db, "unsuccessful_runs") == 0


async def test_a_start_that_was_not_written_yet_is_written_with_the_end(reports, db):
    run = await world.a_run(db, status=Status.DEQUEUED)

    await reports.complete(speaker(run), b"")

    assert await moves(db, run) == ["queued", "dequeued", "executing", "completed"]


async def test_a_run_whose_start_is_written_has_one_move_more(reports, db):
    run = await world.a_run(db, status=Status.EXECUTING)

    await reports.fail(speaker(run), "bad", retryable=False)

    assert await moves(db, run) == ["queued", "dequeued", "executing", "failed"]


async def test_what_the_endpoint_answers_afterwards_is_ignored(reports, db):
    """T36: the lease stays with the worker, and its outcome comes too late."""
    job = await world.a_job(db)
    [run] = await world.queued(db, job, 1)
    [claimed] = await world.claim(db, 1)
    await queue.start(db, [Started(id=run.id, attempt=1, lease_id=claimed.lease_id, age_micros=0)])
    await reports.complete(speaker(run), b'"mine"')

    late = await queue.finish(
        db,
        [
            Finished(
                id=run.id,
                attempt=1,
                lease_id=claimed.lease_id,
                status=Status.DEAD_LETTER,
                error="endpoint returned 500",
            )
        ],
        ended_lease_ids=[claimed.lease_id],
    )

    assert late == {run.id}
    assert bytes((await world.the_run(db, run.id)).result) == b'"mine"'
    assert await world.count(db, "leases") == 0


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b'{"a":1,"b":2}', b'{ "b": 2, "a": 1 }'),
        (b"", b""),
        (b"null", b""),
        (b"9007199254740993", b"9007199254740993"),
    ],
)
async def test_completing_again_with_the_same_result_changes_nothing(reports, db, first, again):
    """T2."""
    run = await world.a_run(db, status=Status.EXECUTING)
    await reports.complete(speaker(run), first)
    before = await db.raw.fetchrow("select xmin, moves from runs where id = $1", run.id)

    done = await reports.complete(speaker(run), again)

    assert done.status is Status.COMPLETED
    assert await db.raw.fetchrow("select xmin, moves from runs where id = $1", run.id) == before


@pytest.mark.parametrize("again", [b'{"a":2}', b"", b"9007199254740992"])
async def test_completing_again_with_another_result_is_a_conflict(reports, db, again):
    run = await world.a_run(db, status=Status.EXECUTING)
    await reports.complete(speaker(run), b"9007199254740993")

    with pytest.raises(Conflict):
        await reports.complete(speaker(run), again)


async def test_a_result_that_is_too_large_is_refused(reports, db):
    run = await world.a_run(db, status=Status.EXECUTING)

    with pytest.raises(TooLarge):
        await reports.complete(speaker(run), b'"' + b"x" * 1000 + b'"')

    assert await world.status(db, run.id) is Status.EXECUTING


@pytest.mark.parametrize("result", [b'{"no":1}', b"[]", b""])
async def test_a_result_that_misses_the_jobs_schema_leaves_the_run_open(reports, db, result):
    run = await world.a_run(
        db, status=Status.EXECUTING, job=await world.a_job(db, result_schema=SCHEMA)
    )

    with pytest.raises(ResultRefused) as refused:
        await reports.complete(speaker(run), result)

    assert refused.value.code == "result_schema_validation_failed"
    assert refused.value.problems
    assert await world.status(db, run.id) is Status.EXECUTING


async def test_a_result_that_fits_the_jobs_schema_completes_the_run(reports, db):
    run = await world.a_run(
        db, status=Status.EXECUTING, job=await world.a_job(db, result_schema=SCHEMA)
    )

    assert (await reports.complete(speaker(run), b'{"ok":1}')).status is Status.COMPLETED
    assert (await reports.complete(speaker(run), b'{"ok":1}')).status is Status.COMPLETED


@pytest.mark.parametrize("status", OPEN)
async def test_a_run_under_way_is_failed_by_its_code(reports, db, status):
    """T37: without another attempt, and where failures are looked for."""
    run = await world.a_run(db, status=status)

    failed = await reports.fail(speaker(run), "no such image", retryable=False)

    assert (failed.status, failed.error, failed.error_class) == (
        Status.FAILED,
        "no such image",
        "unknown",
    )
    row = await db.raw.fetchrow("select run_id, status, job_id, project_id from unsuccessful_runs")
    assert tuple(row) == (run.id, "failed", run.job_id, run.project_id)


async def test_a_failure_that_may_pass_is_tried_again(reports, db):
    job = await world.a_job(db, max_attempts=2, retry_priority_boost=3)
    run = await world.a_run(db, status=Status.EXECUTING, job=job, priority=1)

    queued = await reports.fail(speaker(run), "busy", retryable=True)

    assert (queued.status, queued.attempt, queued.priority) == (Status.QUEUED, 2, 4)
    assert queued.error == "busy"
    assert queued.next_retry_at
    assert queued.started_at is None
    assert (
        await db.raw.fetchval("select reason from scheduled where run_id = $1", run.id) == "retry"
    )
    with pytest.raises(Stale):
        await reports.beat(speaker(run))


async def test_a_start_that_was_not_written_yet_is_written_with_the_retry(reports, db):
    run = await world.a_run(db, status=Status.DEQUEUED)

    await reports.fail(speaker(run), "busy", retryable=True)

    assert await moves(db, run) == ["queued", "dequeued", "executing", "queued"]


async def test_the_last_attempt_fails_even_if_it_may_pass(reports, db):
    run = await world.a_run(db, status=Status.EXECUTING, job=await world.a_job(db, max_attempts=1))

    failed = await reports.fail(speaker(run), "busy", retryable=True)

    assert failed.status is Status.FAILED


async def test_an_error_is_cut_between_two_characters(reports, db):
    run = await world.a_run(db, status=Status.EXECUTING)

    failed = await reports.fail(speaker(run), "ä" * 5000, retryable=False)

    assert failed.error == "ä" * 2048


@pytest.mark.parametrize("ending", ["complete", "fail", "retry"])
async def test_an_end_gives_its_place_to_the_next(reports, db, ending):
    job = await world.a_job(db, max_concurrency=1)
    run = await world.a_run(db, status=Status.EXECUTING, job=job)
    [waiting] = await world.queued(db, job, 1)
    assert await world.claim(db, 10) == []

    if ending == "complete":
        await reports.complete(speaker(run), b"")
    else:
        await reports.fail(speaker(run), "bad", retryable=ending == "retry")

    assert [one.id for one in await world.claim(db, 10)] == [waiting.id]


async def test_a_place_that_was_taken_after_the_claim_is_given_back_too(reports, db):
    job = await world.a_job(db)
    run = await world.a_run(db, status=Status.EXECUTING, job=job)
    await world.change_job(db, job, max_concurrency=1)
    await queue.regate(db, job.id, worth=world.WORTH)
    assert await world.gates(db) == {f"job:{job.id}": 1}

    await reports.complete(speaker(run), b"")

    assert await world.gates(db) == {}


@pytest.mark.parametrize("status", OPEN)
async def test_a_run_under_way_is_alive(reports, db, status):
    run = await world.a_run(db, status=status)

    await reports.beat(speaker(run))

    assert (await world.the_run(db, run.id)).heartbeat_at
    assert await world.status(db, run.id) is status


async def test_reports_of_one_flush_are_told_apart(reports, db):
    good = [await world.a_run(db, status=Status.EXECUTING) for _ in range(5)]
    over = await world.a_run(db, status=Status.FAILED)

    outcomes = await asyncio.gather(
        *(reports.log(speaker(run), Log(message="m")) for run in [*good, over]),
        return_exceptions=True,
    )

    assert [type(outcome).__name__ for outcome in outcomes] == ["RunEvent"] * 5 + ["Ended"]
    assert await world.events(db, good[0].id) == ["log: m"]


async def test_two_who_complete_one_run_at_once_end_it_once(reports, db):
    """T2."""
    run = await world.a_run(db, status=Status.EXECUTING)

    same = await asyncio.gather(*(reports.complete(speaker(run), b"1") for _ in range(5)))

    assert {done.status for done in same} == {Status.COMPLETED}
    assert (await moves(db, run)).count("completed") == 1


async def test_of_two_different_ends_the_first_wins(reports, db):
    run = await world.a_run(db, status=Status.EXECUTING)

    done, refused = await asyncio.gather(
        reports.complete(speaker(run), b"1"),
        reports.fail(speaker(run), "bad", retryable=False),
        return_exceptions=True,
    )

    assert done.status is Status.COMPLETED
    assert isinstance(refused, Conflict)
    assert await world.count(db, "unsuccessful_runs") == 0


async def test_a_run_keeps_its_newest_ten_thousand_events(reports, db):
    """Behaviour 12.3; the oldest that is left says that there were more."""
    run = await world.a_run(db, status=Status.EXECUTING)
    await db.raw.execute(
        """
        insert into run_events (id, run_id, project_id, type, level, message)
        select overlay(id_floor(now())::text placing lpad(to_hex(n), 12, '0') from 25)::uuid,
            $1, $2, 'log', 'info', 'line ' || n
        from generate_series(1, 10050) as n
        """,
        run.id,
        run.project_id,
    )

    assert await queue.trim_story(db, run.id) == 50

    told = await world.events(db, run.id)
    assert len(told) == 10_000
    assert told[0] == "log: older events were dropped: a run keeps 10000"
    assert (told[1], told[-1]) == ("log: line 52", "log: line 10050")
    assert await queue.trim_story(db, run.id) == 0


async def test_a_chatty_run_is_trimmed_as_it_goes(reports, db):
    run = await world.a_run(db, status=Status.EXECUTING)
    await db.raw.execute(
        """
        insert into run_events (id, run_id, project_id, type, level)
        select overlay(id_floor(now() - interval '1 hour')::text
                placing lpad(to_hex(n), 12, '0') from 25)::uuid, $1, $2, 'log', 'info'
        from generate_series(1, 10000) as n
        """,
        run.id,
        run.project_id,
    )

    await asyncio.gather(*(reports.log(speaker(run), Log(message="m")) for _ in range(500)))

    assert (
        await db.raw.fetchval("select count(*) from run_events where run_id = $1", run.id) == 10_000
    )


async def test_an_event_of_a_stale_attempt_is_not_added(db):
    run = await world.a_run(db, status=Status.EXECUTING)
    event = NewEvent(
        id=new_id(), run_id=run.id, attempt=2, type="log", level="info", message="", data=b"{}"
    )

    assert await queue.tell(db, [event]) == {}
    assert await queue.tell(db, [msgspec.structs.replace(event, attempt=1)]) != {}
