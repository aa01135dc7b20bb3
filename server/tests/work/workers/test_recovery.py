"""What the living do for the dead (behaviour 4.6, 8.4 #1, #2; D1, D2, T3, T84)."""

import asyncio
import time

import crew
import pytest
import world
from endpoint import answer, hang, when

from strait_server.work.queue import service as queue
from strait_server.work.queue.model import Appetite, Status
from strait_server.work.workers.service.recovery import Recovery


async def dies_at_work(db, mortal, endpoint, *, runs=1, **columns):
    """A worker dies while the endpoint works; its runs."""
    endpoint.on("/work", *([hang] * runs), answer())
    doomed = await mortal(loops=False)
    job = await world.a_job(db, endpoint_url=endpoint.url(), **columns)
    sent = await world.queued(db, job, runs)
    for run in sent:
        await crew.stands(db, run.id, Status.EXECUTING)
    await doomed.die()
    return sent


async def test_runs_of_a_worker_that_died_are_rescued_within_two_seconds(db, mortal, endpoint):
    """D2: they are tried again, which counts as the next attempt."""
    runs = await dies_at_work(db, mortal, endpoint, runs=3, max_attempts=2)
    another = await mortal(loops=False)
    died_at = time.monotonic()

    await crew.rescued(db, crew.recovery_of(another.services), 3)

    assert time.monotonic() - died_at < 2.0
    row = await crew.the_run(db, runs[0].id)
    assert (row["status"], row["attempt"]) == ("queued", 2)
    assert (row["error"], row["error_class"]) == ("heartbeat lost", "transient")
    assert row["next_retry_at"] is not None
    assert await world.count(db, "leases") == 0
    await crew.make_due(db)
    assert await crew.all_final(db) == {Status.COMPLETED: 3}


async def test_a_run_without_attempts_left_has_crashed(db, mortal, endpoint):
    """D2."""
    [run] = await dies_at_work(db, mortal, endpoint, max_attempts=1)
    another = await mortal(loops=False)

    await crew.rescued(db, crew.recovery_of(another.services), 1)

    row = await crew.the_run(db, run.id)
    assert (row["status"], row["error"], row["attempt"]) == ("crashed", "heartbeat lost", 1)
    assert row["finished_at"] is not None


async def test_a_run_that_was_only_claimed_goes_back_unused(db, mortal, endpoint):
    """D1, T124: the worker died before it sent anything; that is no failure of the run."""
    doomed = await mortal(loops=False, worker_partitions="proj_others")
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_concurrency=5)
    runs = await world.queued(db, job, 3)
    appetite = Appetite(size=5)
    await queue.claim(db, doomed.worker_id, appetite, floors=[0] * 11, worth=world.WORTH)
    await doomed.die()
    another = await mortal(loops=False)

    await crew.rescued(db, crew.recovery_of(another.services), 3)

    assert await crew.all_final(db) == {Status.COMPLETED: 3}
    assert endpoint.attempts() == {str(run.id): [1] for run in runs}


async def test_a_run_that_waits_for_something_is_left_alone_however_long(db, mortal, endpoint):
    """T124: only claimed runs can be lost with a worker."""
    job = await world.a_job(db, endpoint_url=endpoint.url())
    [waiting] = await world.queued(db, job, 1)
    await db.raw.execute("delete from queue")
    await db.raw.execute(
        "update runs set status = 'waiting', updated_at = now() - interval '2 hours', "
        "heartbeat_at = now() - interval '2 hours'"
    )
    await dies_at_work(db, mortal, endpoint)
    another = await mortal(loops=False)

    await crew.rescued(db, crew.recovery_of(another.services), 1)
    assert await queue.expire(db) == 0

    assert (await crew.the_run(db, waiting.id))["status"] == "waiting"


async def test_the_late_answer_of_a_robbed_worker_has_no_effect(db, mortal, endpoint):
    """D2, T4: it was only slow."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered, answer(body=b'"late"')), answer(body=b'"second"'))
    slow = await mortal(loops=False, heartbeat_interval="1h", stale_threshold="3h")
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=2)
    [run] = await world.queued(db, job, 1)
    await crew.stands(db, run.id, Status.EXECUTING)
    await db.raw.execute("update workers set alive_until = now() - interval '1 second'")

    await crew.rescued(db, crew.recovery_of(slow.services), 1)
    answered.set()
    await endpoint.idle()
    await crew.make_due(db)
    await crew.ended(db, run.id)

    row = await crew.the_run(db, run.id)
    assert (row["status"], row["attempt"], bytes(row["result"])) == ("completed", 2, b'"second"')


async def test_a_worker_is_not_given_up_at_first_sight(db, mortal, endpoint):
    """Its lock may be free for the moment that a new connection takes."""
    await dies_at_work(db, mortal, endpoint)
    another = await mortal(loops=False)

    assert await crew.recovery_of(another.services).step(db) == 0
    assert await world.statuses(db) == {Status.EXECUTING: 1}


async def test_the_living_are_left_alone(db, mortal, endpoint):
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    one, other = await mortal(loops=False), await mortal(loops=False)
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.queued(db, job, 5)
    await endpoint.heard(5)
    recovery = crew.recovery_of(one.services)
    began = time.monotonic()

    async def looked_for_a_while():
        assert await recovery.step(db) == 0
        return time.monotonic() - began > 1.5

    await crew.eventually(looked_for_a_while)
    answered.set()
    await crew.all_final(db)
    assert endpoint.attempts() == {request.run_id: [1] for request in endpoint.requests}
    assert other.worker_id is not None


async def test_after_a_restart_of_postgresql_nobody_is_robbed(db, mortal, endpoint):
    """All locks were lost with the server: the workers get time to come back."""
    await dies_at_work(db, mortal, endpoint)
    another = await mortal(loops=False)
    began = await db.raw.fetchval(
        "select extract(epoch from now() - pg_postmaster_start_time())::float8"
    )
    policy = crew.policy_of(another.services, return_within=began + 60)
    recovery = Recovery(another.services.definitions, policy)
    began = time.monotonic()

    async def looked_for_a_while():
        assert await recovery.step(db) == 0
        return time.monotonic() - began > 1.5

    await crew.eventually(looked_for_a_while)
    assert await world.statuses(db) == {Status.EXECUTING: 1}


async def test_two_rescuers_rescue_once(db, database, mortal, endpoint):
    runs = await dies_at_work(db, mortal, endpoint, runs=5, max_attempts=3)
    one, other = await mortal(loops=False), await mortal(loops=False)
    rescuers = [crew.recovery_of(one.services), crew.recovery_of(other.services)]
    second = await database.dedicated()
    rescued = 0

    async def all_rescued():
        nonlocal rescued
        rescued += sum(
            await asyncio.gather(rescuers[0].step(db), rescuers[1].step(type(db)(second)))
        )
        return rescued

    await crew.eventually(all_rescued)
    await second.close()
    assert rescued == 5
    assert {(await crew.the_run(db, run.id))["attempt"] for run in runs} == {2}


@pytest.mark.parametrize("paused", [True, False])
async def test_a_rescued_run_goes_where_its_job_says_now(db, mortal, endpoint, paused):
    doomed = await mortal(loops=False, worker_partitions="proj_others")
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.queued(db, job, 1)
    appetite = Appetite(size=1)
    await queue.claim(db, doomed.worker_id, appetite, floors=[0] * 11, worth=world.WORTH)
    await doomed.die()
    await world.change_job(db, job, paused=paused)
    another = await mortal(loops=False, worker_partitions="proj_others")

    await crew.rescued(db, crew.recovery_of(another.services), 1)

    assert await world.count(db, "blocked" if paused else "queue") == 1


async def test_a_rescued_run_without_its_job_is_failed(db, mortal, endpoint):
    [run] = await dies_at_work(db, mortal, endpoint)
    await db.raw.execute("delete from jobs")
    another = await mortal(loops=False)

    await crew.rescued(db, crew.recovery_of(another.services), 1)

    assert (await crew.the_run(db, run.id))["error"] == "job not found"
