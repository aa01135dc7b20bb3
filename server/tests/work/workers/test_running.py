"""The life of a run in a worker's hands (behaviour 3.1, 3.4, 3.9; design 5.4)."""

import asyncio
import time

import crew
import pytest
import world
from endpoint import answer, when

from strait_server.work.queue.model import Status


async def test_a_success_stores_result_trace_and_every_move(db, hire, endpoint):
    endpoint.on("/work", answer(body=b'{"sum": 3}'))
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())

    [run] = await world.queued(db, job, 1, payload=b'{"a":1}')
    await crew.ended(db, run.id)

    row = await crew.the_run(db, run.id)
    assert row["status"] == Status.COMPLETED
    assert bytes(row["result"]) == b'{"sum": 3}'
    assert len(row["trace"]) == 7
    assert min(row["trace"]) >= 0
    assert [request.body for request in endpoint.requests] == [b'{"a":1}']


async def test_a_start_and_a_finish_that_fall_together_are_two_moves(db, hire, endpoint):
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())

    [run] = await world.queued(db, job, 1)
    await crew.ended(db, run.id)

    assert await crew.moves(db, run.id) == ["queued", "dequeued", "executing", "completed"]


async def test_a_slow_endpoint_is_seen_executing_at_once(db, hire, endpoint):
    done = asyncio.Event()
    endpoint.on("/work", when(done))
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())

    [run] = await world.queued(db, job, 1)
    await endpoint.heard(1)
    heard_at = time.monotonic()
    await crew.stands(db, run.id, Status.EXECUTING)

    assert time.monotonic() - heard_at < 0.5  # 10 ms and a write; the machine may be busy
    done.set()
    assert await crew.ended(db, run.id) == {run.id: Status.COMPLETED}
    assert await crew.moves(db, run.id) == ["queued", "dequeued", "executing", "completed"]


async def test_every_final_run_has_its_duration_counted(db, hire, endpoint):
    """T25q."""
    endpoint.on("/bad", answer(400))
    hired = await hire()
    good = await world.a_job(db, endpoint_url=endpoint.url())
    bad = await world.a_job(db, endpoint_url=endpoint.url("/bad"))

    runs = await world.queued(db, good, 5) + await world.queued(db, bad, 2)
    await crew.ended(db, *(run.id for run in runs))

    async def counted():
        return hired.metric("strait_run_duration_count", status="completed") == 5

    await crew.eventually(counted)
    assert hired.metric("strait_run_duration_count", status="dead_letter") == 2
    assert hired.metric("strait_pool_successful_tasks_total") == 5
    assert hired.metric("strait_pool_failed_tasks_total") == 2
    assert (
        hired.metric("strait_run_transitions_total", **{"from": "executing", "to": "completed"})
        == 5
    )


async def test_no_lease_is_left_when_all_is_recorded(db, hire, endpoint):
    endpoint.on("/bad", answer(500))
    await hire()
    good = await world.a_job(db, endpoint_url=endpoint.url())
    bad = await world.a_job(db, endpoint_url=endpoint.url("/bad"), max_attempts=2)

    runs = await world.queued(db, good, 40) + await world.queued(db, bad, 3)
    await crew.ended(db, *(run.id for run in runs[:40]))

    async def nothing_held():
        return await world.count(db, "leases") == 0

    await crew.eventually(nothing_held)


async def test_a_changed_job_is_run_as_it_is_now(db, hire, endpoint):
    """T127: also when the change was not announced, and was made after the trigger."""
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url("/old"))
    [first] = await world.queued(db, job, 1)
    await crew.ended(db, first.id)

    await world.change_job(db, job, endpoint_url=endpoint.url("/new"))
    [second] = await world.queued(db, job, 1)
    await crew.ended(db, second.id)

    assert [request.path for request in endpoint.requests] == ["/old", "/new"]


@pytest.mark.parametrize("change", [{"paused": True}, {"enabled": False}], ids=str)
async def test_a_run_of_a_stopped_job_is_parked_and_not_sent(db, hire, endpoint, change):
    """The job was stopped behind the queue's back: the run was claimable, and was claimed."""
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.queued(db, job, 1)
    await world.change_job(db, job, **change)

    await hire()

    async def parked():
        return await db.raw.fetchval("select gate from blocked")

    assert await crew.eventually(parked) == f"pause:{job.id}"
    assert await world.statuses(db) == {Status.QUEUED: 1}
    assert endpoint.requests == []


async def test_a_run_without_its_job_is_failed(db, hire):
    job = await world.a_job(db)
    [run] = await world.queued(db, job, 1)
    await db.raw.execute("delete from jobs")

    await hire()
    await crew.ended(db, run.id)

    row = await crew.the_run(db, run.id)
    assert (row["status"], row["error"], row["error_class"]) == (
        "system_failed",
        "job not found",
        "server",
    )


async def test_an_error_of_our_own_fails_the_run_and_not_the_worker(db, hire, endpoint):
    """A retry strategy that no version knows: preparing the job raises."""
    hired = await hire()
    await db.raw.execute("alter table jobs drop constraint jobs_retry_strategy_check")
    broken = await world.a_job(db, endpoint_url=endpoint.url(), retry_strategy="astrology")
    good = await world.a_job(db, endpoint_url=endpoint.url())

    [panicked] = await world.queued(db, broken, 1)
    await crew.ended(db, panicked.id)
    [fine] = await world.queued(db, good, 1)

    assert await crew.ended(db, fine.id) == {fine.id: Status.COMPLETED}
    row = await crew.the_run(db, panicked.id)
    assert (row["status"], row["error"]) == ("system_failed", "panic: ValueError")
    assert hired.worker.in_flight == 0


async def test_a_claimed_run_whose_job_cannot_be_read_waits_until_it_can(db, hire, endpoint):
    """Nothing was sent, so nothing has failed; and nothing could be recorded anyway."""
    hired = await hire(db_max_conns=1, poller_interval="10m")
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=1)
    unavailable_after = 2.0

    async with hired.services.database.connection():  # there is no other
        [run] = await world.queued(db, job, 1)
        began = time.monotonic()
        await crew.stands(db, run.id, Status.DEQUEUED)

        async def refused():
            return time.monotonic() - began > unavailable_after + 0.2

        await crew.eventually(refused)
        assert await world.status(db, run.id) == Status.DEQUEUED

    assert await crew.ended(db, run.id) == {run.id: Status.COMPLETED}
    assert endpoint.attempts() == {str(run.id): [1]}


async def test_an_expired_run_is_not_sent(db, hire, endpoint):
    """T8."""
    job = await world.a_job(db, endpoint_url=endpoint.url())
    late, good = await world.queued(db, job, 2)
    await world.expire(db, late)

    await hire()
    await crew.ended(db, late.id, good.id)

    assert await world.statuses(db) == {Status.EXPIRED: 1, Status.COMPLETED: 1}
    assert [request.run_id for request in endpoint.requests] == [str(good.id)]


async def test_two_workers_send_each_run_once(db, hire, endpoint):
    """D5."""
    await hire(worker_concurrency=10)
    await hire(worker_concurrency=10)
    job = await world.a_job(db, endpoint_url=endpoint.url())

    runs = await world.queued(db, job, 300)

    assert await crew.all_final(db) == {Status.COMPLETED: 300}
    assert endpoint.attempts() == {str(run.id): [1] for run in runs}


async def test_an_outcome_the_database_does_not_take_fails_its_run_alone(db, hire, endpoint):
    """However that comes about, no run stays executing for it, and its neighbours are recorded."""
    endpoint.on("/big", answer(body="x" * 100))
    await db.raw.execute("alter table runs add check (length(result::text) < 100)")
    await hire()
    good = await world.a_job(db, endpoint_url=endpoint.url())
    big = await world.a_job(db, endpoint_url=endpoint.url("/big"))

    runs = await world.queued(db, good, 5) + await world.queued(db, big, 2)
    ended = await crew.ended(db, *(run.id for run in runs))

    assert list(ended.values()).count(Status.COMPLETED) == 5
    refused = await crew.the_run(db, runs[-1].id)
    assert refused["status"] == Status.SYSTEM_FAILED
    assert refused["error"] == "the outcome cannot be recorded"
    assert await world.count(db, "leases") == 0


async def test_nothing_is_sent_unless_its_claim_was_committed(db, hire, endpoint):
    """T22q: the claim fails at the very end; and the worker goes on claiming."""
    await db.raw.execute(
        "create function refuse() returns trigger language plpgsql as "
        "$$ begin raise exception 'not today'; end $$"
    )
    await db.raw.execute(
        "create constraint trigger refuse after insert on leases "
        "deferrable initially deferred for each row execute function refuse()"
    )
    job = await world.a_job(db, endpoint_url=endpoint.url())
    [run] = await world.queued(db, job, 1)
    await hire(poller_interval="100ms")
    refused = "select xact_rollback from pg_stat_database where datname = current_database()"
    before = await db.raw.fetchval(refused)

    async def claimed_in_vain():
        return await db.raw.fetchval(refused) > before

    await crew.eventually(claimed_in_vain)
    assert endpoint.requests == []
    await db.raw.execute("drop trigger refuse on leases")

    assert await crew.ended(db, run.id) == {run.id: Status.COMPLETED}
    assert endpoint.attempts() == {str(run.id): [1]}
