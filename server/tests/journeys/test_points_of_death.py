"""A worker is killed at a certain point of a run's life (behaviour 4.6, 8.4; D1 to D3)."""

import asyncio

import pytest
from journeys.endpoint import works_for
from journeys.machine import eventually

RESCUED = 10.0
pytestmark = pytest.mark.usefixtures("settled")


async def the_run(stage, job):
    [run] = await stage.runs(job)
    return run


async def statements_waiting_for_locks(stage):
    return await stage.rows(
        "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname is not null"
    )


async def test_a_run_that_was_claimed_but_not_sent_is_sent_once_as_the_same_attempt(stage):
    """D1. The worker is stopped before the call by a lock on what it must read first."""
    job = await stage.job("d1")
    doomed = await stage.start_worker()
    async with stage.postgres.connection() as raw, raw.transaction():
        await raw.execute("lock table endpoint_circuits in access exclusive mode")
        [run_id] = await stage.trigger(job)
        await eventually(lambda: statements_waiting_for_locks(stage), within=5)
        assert (await the_run(stage, job))["status"] == "dequeued"

        stage.kill(doomed)

    await stage.start_worker()
    await stage.at_rest(within=RESCUED)
    [call] = stage.endpoint.calls_to("d1")
    assert (str(call.run_id), call.attempt) == (run_id, 1)
    assert (await the_run(stage, job))["status"] == "completed"


async def test_a_run_whose_worker_dies_during_the_call_is_sent_again_as_the_next_attempt(stage):
    """D2. The answer to the first attempt comes late, and to nobody."""
    job = await stage.job("d2", retry_strategy="fixed")
    stage.endpoint.play("d2", works_for(1, attempts=1))
    doomed = await stage.start_worker()
    [run_id] = await stage.trigger(job)
    await eventually(lambda: is_executing(stage, job), within=5)

    stage.kill(doomed)

    await stage.start_worker()
    await stage.at_rest(within=RESCUED)
    first, second = stage.endpoint.calls_to("d2")
    run = await the_run(stage, job)
    assert [(str(call.run_id), call.attempt) for call in (first, second)] == [
        (run_id, 1),
        (run_id, 2),
    ]
    assert first.broken
    assert (run["status"], run["attempt"]) == ("completed", 2)


async def test_a_run_without_attempts_left_has_crashed(stage):
    """D2, with nothing left to try."""
    job = await stage.job("d2_last", max_attempts=1)
    stage.endpoint.play("d2_last", works_for(60))
    doomed = await stage.start_worker()
    await stage.trigger(job)
    await eventually(lambda: is_executing(stage, job), within=5)

    stage.kill(doomed)

    await stage.start_worker()
    await stage.at_rest(within=RESCUED)
    run = await the_run(stage, job)
    assert (run["status"], run["error"], run["error_class"]) == (
        "crashed",
        "heartbeat lost",
        "transient",
    )


async def test_a_run_whose_outcome_was_not_written_is_sent_again(stage):
    """D3. The outcome waits for a lock on the run's row when worker and connection die."""
    job = await stage.job("d3", retry_strategy="fixed")
    answer = asyncio.Event()

    async def when_told(visit):
        await answer.wait()
        visit.answer()

    stage.endpoint.play("d3", when_told)
    doomed = await stage.start_worker()
    [run_id] = await stage.trigger(job)
    await eventually(lambda: is_executing(stage, job), within=5)
    async with stage.postgres.connection() as raw, raw.transaction():
        await raw.execute("select from runs where id = $1 for update", run_id)
        answer.set()
        [waiting] = await eventually(lambda: statements_waiting_for_locks(stage), within=5)

        stage.kill(doomed)
        await raw.execute("select pg_terminate_backend($1)", waiting["pid"])

    await stage.start_worker()
    await stage.at_rest(within=RESCUED)
    assert [call.attempt for call in stage.endpoint.calls_to("d3")] == [1, 2]
    assert (await the_run(stage, job))["status"] == "completed"


async def is_executing(stage, job):
    return (await the_run(stage, job))["status"] == "executing"
