"""Whoever is first decides how a run ends (behaviour 1.4 #22, 3.3; D6, D7, T4, T24q, T36)."""

import asyncio

import crew
import pytest
import world
from endpoint import answer, when

from strait_server.work.queue import service as queue
from strait_server.work.queue.model import Conclusion, Status


async def at_its_endpoint(db, hire, endpoint, script=None, **columns):
    """A run whose endpoint answers when the event is set."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered, script))
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), **columns)
    [run] = await world.queued(db, job, 1)
    await crew.stands(db, run.id, Status.EXECUTING)
    return run, answered


async def answer_and_settle(db, endpoint, answered):
    answered.set()
    await endpoint.idle()

    async def nothing_held():
        return await world.count(db, "leases") == 0

    await crew.eventually(nothing_held)


@pytest.mark.parametrize("script", [answer(body=b"1"), answer(500)], ids=["success", "failure"])
async def test_a_run_canceled_at_work_stays_canceled(db, hire, endpoint, script):
    """D6, T36: whatever the endpoint answers."""
    run, answered = await at_its_endpoint(db, hire, endpoint, script)

    assert await world.cancel(db, run.id) == [run.id]
    await answer_and_settle(db, endpoint, answered)

    row = await crew.the_run(db, run.id)
    assert (row["status"], row["error"]) == ("canceled", "canceled by user")
    assert (row["result"], row["attempt"]) == (None, 1)
    assert await crew.moves(db, run.id) == ["queued", "dequeued", "executing", "canceled"]
    assert await world.count(db, "scheduled") == 0


async def test_a_canceled_run_gives_its_place_back_once(db, hire, endpoint):
    run, answered = await at_its_endpoint(db, hire, endpoint, max_concurrency=1)

    await world.cancel(db, run.id)
    await answer_and_settle(db, endpoint, answered)

    assert await world.count(db, "slots") == 0


async def test_what_the_code_said_itself_wins_over_the_answer(db, hire, endpoint):
    """T36: `complete` through the SDK, then the HTTP answer."""
    run, answered = await at_its_endpoint(db, hire, endpoint, answer(500))

    said = Conclusion(id=run.id, attempt=1, status=Status.COMPLETED, result=b'"said"')
    assert await queue.conclude(db, [said]) == {run.id}
    await answer_and_settle(db, endpoint, answered)

    row = await crew.the_run(db, run.id)
    assert (row["status"], bytes(row["result"]), row["error"]) == ("completed", b'"said"', None)


@pytest.mark.parametrize("script", [answer(), answer(500)], ids=["success", "failure"])
async def test_a_waiting_run_stays_waiting(db, hire, endpoint, script):
    """T36."""
    run, answered = await at_its_endpoint(db, hire, endpoint, script)
    await db.raw.execute("update runs set status = 'waiting' where id = $1", run.id)

    await answer_and_settle(db, endpoint, answered)

    assert await world.status(db, run.id) == Status.WAITING


async def test_a_run_canceled_after_its_claim_is_not_moved_by_a_snooze(db, hire, endpoint):
    """T24q: the loser has no effect."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    hired = await hire(default_job_max_concurrency=1)
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.queued(db, job, 1)
    await endpoint.heard(1)
    holding = await db.raw.fetchval("select id from runs limit 1")
    async with db.raw.transaction():
        [run] = await world.queued(db, job, 1)
        await world.cancel(db, run.id)

    await crew.eventually(lambda: nothing_queued(db))

    assert await world.status(db, run.id) == Status.CANCELED
    assert await world.count(db, "scheduled") == 0
    answered.set()
    assert await crew.ended(db, holding) == {holding: Status.COMPLETED}
    assert hired.worker.in_flight == 0


async def nothing_queued(db):
    return await world.count(db, "queue") == 0


async def test_an_answer_for_an_attempt_that_is_over_changes_nothing(db, hire, endpoint):
    """T4: the row has moved on to the next attempt."""
    run, answered = await at_its_endpoint(db, hire, endpoint)
    await db.raw.execute("update runs set attempt = 2 where id = $1", run.id)

    await answer_and_settle(db, endpoint, answered)

    assert await world.status(db, run.id) == Status.EXECUTING


async def test_cancel_and_completion_at_the_same_moment_leave_one_end(db, hire, endpoint):
    """D7."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())
    runs = await world.queued(db, job, 30)
    await endpoint.heard(30)

    answered.set()
    canceled = {run.id for run in runs if await world.cancel(db, run.id)}
    await crew.all_final(db)

    for run in runs:
        moves = await crew.moves(db, run.id)
        end = Status.CANCELED if run.id in canceled else Status.COMPLETED
        assert moves[-1] == end
        assert [move for move in moves if move in {Status.CANCELED, Status.COMPLETED}] == [end]
