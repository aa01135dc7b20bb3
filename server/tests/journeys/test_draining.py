"""A worker or the API is told to stop (behaviour 14.5, D18, D19, T119)."""

import asyncio
import signal

from journeys.endpoint import works_for
from journeys.machine import eventually

IN_FLIGHT = 10
LATER = 0.3
"""Seconds after which a signal is a second one, and not the first told twice."""


async def all_are_executing(stage, job):
    runs = await stage.runs(job)
    return all(run["status"] == "executing" for run in runs)


async def test_what_is_under_way_is_finished_and_nothing_more_is_claimed(stage):
    """D18: ten runs of two seconds, and one that comes after the signal."""
    stage.endpoint.play("drain", works_for(2))
    await stage.job("drain")
    worker = await stage.start_worker()
    before = await stage.trigger("drain", IN_FLIGHT)
    await eventually(lambda: all_are_executing(stage, "drain"), within=5)

    worker.signal(signal.SIGTERM)
    await eventually(lambda: worker.has_said("draining"), within=5)
    [after] = await stage.trigger("drain")

    assert await worker.ended(within=10) == 0
    *finished, left = await stage.runs("drain")
    assert [str(run["id"]) for run in finished] == before
    assert {(run["status"], run["attempt"], len(run["moves"])) for run in finished} == {
        ("completed", 1, 4)
    }
    assert (str(left["id"]), left["status"]) == (after, "queued")
    assert len(stage.endpoint.calls_to("drain")) == IN_FLIGHT
    await stage.start_worker()
    await stage.at_rest()


async def test_a_run_that_outlasts_the_drain_is_left_to_the_others(settled):
    """D19: it is tried again, and the answer to the first attempt changes nothing."""
    settled.endpoint.play("outlasts", works_for(3, attempts=1))
    await settled.job("outlasts", retry_strategy="fixed")
    worker = await settled.start_worker(WORKER_DRAIN_TIMEOUT="500ms")
    await settled.trigger("outlasts")
    await eventually(lambda: all_are_executing(settled, "outlasts"), within=5)
    settled.fault()

    worker.signal(signal.SIGTERM)

    await worker.ended(within=5)
    await settled.start_worker()
    await settled.at_rest()
    first, second = settled.endpoint.calls_to("outlasts")
    await eventually(lambda: not first.under_way, within=5)
    [run] = await settled.runs("outlasts")
    assert (run["status"], run["attempt"]) == ("completed", 2)
    assert first.broken
    assert not second.broken


async def test_a_second_signal_ends_the_process_at_once(settled):
    settled.endpoint.play("hurry", works_for(2, attempts=1))
    await settled.job("hurry", retry_strategy="fixed")
    worker = await settled.start_worker()
    await settled.trigger("hurry")
    await eventually(lambda: all_are_executing(settled, "hurry"), within=5)
    worker.signal(signal.SIGTERM)
    await asyncio.sleep(LATER)
    settled.fault()

    worker.signal(signal.SIGTERM)

    assert await worker.ended(within=1) == 1
    await settled.start_worker()
    await settled.at_rest()
    assert [call.attempt for call in settled.endpoint.calls_to("hurry")] == [1, 2]


async def test_a_signal_told_twice_at_once_is_one(stage):
    """timeout(1) tells its child, and then the group that the child is in."""
    stage.endpoint.play("twice", works_for(1))
    await stage.job("twice")
    worker = await stage.start_worker()
    await stage.trigger("twice", IN_FLIGHT)
    await eventually(lambda: all_are_executing(stage, "twice"), within=5)

    worker.signal(signal.SIGINT)
    worker.signal(signal.SIGTERM)

    assert await worker.ended(within=10) == 0
    assert {(run["status"], run["attempt"]) for run in await stage.runs("twice")} == {
        ("completed", 1)
    }


async def test_an_api_answers_what_it_was_asked_before_it_ends(stage):
    """Twenty triggers wait for a lock when the signal comes; each of them is kept."""
    await stage.job("asked")
    async with stage.postgres.connection() as raw, raw.transaction():
        await raw.execute("lock table queue in access exclusive mode")
        asked = [asyncio.create_task(stage.post("/v1/jobs/asked/trigger", {})) for _ in range(20)]
        await eventually(lambda: a_trigger_waits(stage), within=5)

        stage.api.signal(signal.SIGTERM)
        await eventually(lambda: stage.api.has_said("stopping"), within=5)

    answers = await asyncio.gather(*asked)
    ended = await stage.api.ended(within=10)
    await stage.start_api()
    assert ended == 0
    assert [answer.status_code for answer in answers] == [201] * 20
    await stage.start_worker()
    await stage.at_rest()
    assert sorted(str(run["id"]) for run in await stage.runs("asked")) == sorted(
        answer.json()["id"] for answer in answers
    )


async def a_trigger_waits(stage):
    return await stage.rows(
        "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname is not null"
    )
