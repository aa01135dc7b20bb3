"""For every run that does not move it is said why (design 1, "always say why")."""

from datetime import datetime

import pytest
import world

from strait_server.base import ids
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import FINAL, Returned, Status


@pytest.fixture
async def worker(db):
    """Register a worker that is alive."""
    worker_id = ids.new_id()
    await db.raw.execute(
        "insert into workers (id, lock_id, host, pid, concurrency, alive_until) "
        "values ($1, 7, 'host-1', 4711, 10, now() + interval '1 minute')",
        worker_id,
    )
    return worker_id


async def explained(client, run):
    answer = await client.get(f"/v1/runs/{run.id}/explain")
    assert answer.status_code == 200, answer.text
    explanation = answer.json()
    assert set(explanation) == {"run_id", "status", "summary", "gates"}
    for gate in explanation["gates"]:
        assert {"gate", "blocking", "detail", "action"} <= set(gate)
    return explanation


def blocking(explanation):
    return [gate["gate"] for gate in explanation["gates"] if gate["blocking"]]


async def test_a_run_that_nothing_holds(client, db, worker):
    run = await world.a_run(db)

    explanation = await explained(client, run)

    assert blocking(explanation) == []
    assert explanation["summary"] == "nothing holds it: it starts any moment"


async def test_without_a_worker_nothing_moves(client, db):
    run = await world.a_run(db)

    explanation = await explained(client, run)

    assert blocking(explanation) == ["workers"]
    assert explanation["gates"][0]["action"] == "start a worker"


async def test_its_place_in_the_queue(client, db, worker):
    job = await world.a_job(db)
    await world.queued(db, job, 3)
    run = await world.a_run(db, job=job)
    await world.queued(db, job, 2)

    [gate] = (await explained(client, run))["gates"]

    assert (gate["gate"], gate["blocking"]) == ("queue", True)
    assert gate["detail"] == "it is in the queue, and 3 runs are before it"


async def test_a_higher_priority_goes_first(client, db, worker):
    job = await world.a_job(db)
    run = await world.a_run(db, job=job)
    await world.queued(db, job, 1, priority=1)

    assert "1 run is before it" in (await explained(client, run))["summary"]


async def test_a_schedule(client, db):
    run = await world.a_run(db, status=Status.DELAYED)

    explanation = await explained(client, run)

    [gate] = explanation["gates"]
    assert (gate["gate"], gate["blocking"]) == ("schedule", True)
    assert datetime.fromisoformat(gate["until"]) == run.scheduled_at
    assert explanation["summary"].startswith("it is scheduled for ")


@pytest.mark.parametrize(("reason", "gate"), [("retry", "retry"), ("snooze", "circuit")])
async def test_a_delay_after_an_attempt(client, db, worker, reason, gate):
    job = await world.a_job(db, max_attempts=5)
    run = await world.a_run(db, job=job)
    [claimed] = await world.claim(db, 1)
    await queue.requeue(
        db,
        [
            Returned(
                id=run.id,
                attempt=1,
                lease_id=claimed.lease_id,
                step=1 if reason == "retry" else 0,
                delay=30,
                reason=reason,
                error="endpoint returned 500",
                error_class="server",
            )
        ],
        worth=world.WORTH,
    )

    explanation = await explained(client, run)

    assert blocking(explanation) == [gate]
    [report] = explanation["gates"]
    assert "endpoint returned 500" in report["detail"]
    assert report["until"]
    if reason == "retry":
        assert "attempt 1 failed" in report["detail"]
        assert "attempt 2 of 5" in report["detail"]


async def test_a_concurrency_key_says_who_holds_it(client, db, worker):
    job = await world.a_job(db, max_concurrency_per_key=1, max_concurrency=5)
    holder = await world.a_run(db, job=job, concurrency_key="c1")
    await world.queued(db, job, 1, concurrency_key="c1")
    run = await world.a_run(db, job=job, concurrency_key="c1")

    explanation = await explained(client, run)

    assert blocking(explanation) == ["concurrency_key"]
    key, limit = explanation["gates"]
    assert key["held_by"] == [str(holder.id)]
    assert key["detail"] == (
        '1 of 1 places of concurrency key "c1" are taken, and 1 run is waiting before it'
    )
    assert key["since"]
    assert (limit["gate"], limit["blocking"]) == ("job_concurrency", False)
    assert limit["detail"] == "1 of 5 places of its job are taken"


async def test_a_key_of_another_project_is_not_in_the_way(client, db, worker):
    """Its name reads like that of ours, with the project's id before it."""
    theirs = await world.a_job(db, project_id=f"{world.PROJECT}:a", max_concurrency_per_key=1)
    ours = await world.a_job(db, max_concurrency_per_key=1)
    await world.queued(db, theirs, 1, concurrency_key="b")
    run = await world.a_run(db, job=ours, concurrency_key="a:b")

    explanation = await explained(client, run)

    key = explanation["gates"][0]
    assert (key["gate"], key["blocking"], key["held_by"]) == (
        "concurrency_key",
        False,
        [str(run.id)],
    )


async def test_a_jobs_limit_says_who_holds_it(client, db, worker):
    job = await world.a_job(db, max_concurrency=2)
    holders = await world.queued(db, job, 2)
    run = await world.a_run(db, job=job)

    explanation = await explained(client, run)

    assert blocking(explanation) == ["job_concurrency"]
    [gate] = explanation["gates"]
    assert set(gate["held_by"]) == {str(holder.id) for holder in holders}


async def test_a_paused_job_says_so_and_why(client, db, worker):
    job = await world.a_job(db)
    run = await world.a_run(db, job=job)
    await world.change_job(db, job, paused=True, pause_reason="deploying")
    await queue.regate(db, job.id, worth=world.WORTH)

    explanation = await explained(client, run)

    assert blocking(explanation) == ["pause"]
    [gate] = explanation["gates"]
    assert (gate["detail"], gate["action"]) == ("its job is paused: deploying", "resume the job")
    assert gate["since"]


async def test_a_disabled_job(client, db, worker):
    job = await world.a_job(db)
    run = await world.a_run(db, job=job)
    await world.change_job(db, job, enabled=False)
    await queue.regate(db, job.id, worth=world.WORTH)

    assert (await explained(client, run))["summary"] == "its job is disabled"


async def test_a_closed_window(client, db):
    job = await world.a_job(db, execution_window_cron="* * 29 2 *")
    run = await world.a_run(db, job=job, status=Status.DELAYED)

    explanation = await explained(client, run)

    assert blocking(explanation) == ["schedule", "window"]


@pytest.mark.parametrize("status", [Status.DEQUEUED, Status.EXECUTING])
async def test_who_executes_it(client, db, worker, status):
    run = await world.a_run(db, status=status)
    await db.raw.execute("update leases set worker_id = $1", worker)

    [gate] = (await explained(client, run))["gates"]

    assert (gate["gate"], gate["blocking"]) == ("execution", False)
    assert gate["held_by"] == [str(worker)]
    assert "on host-1 (process 4711)" in gate["detail"]
    assert datetime.fromisoformat(gate["since"]) == run.started_at


async def test_a_worker_that_is_gone(client, db):
    run = await world.a_run(db, status=Status.EXECUTING)

    explanation = await explained(client, run)

    assert blocking(explanation) == ["execution"]
    assert "its worker is gone" in explanation["summary"]


async def test_a_wait(client, db):
    run = await world.a_run(db, status=Status.WAITING)

    assert blocking(await explained(client, run)) == ["wait"]


@pytest.mark.parametrize("status", sorted(FINAL))
async def test_the_end_says_what_can_be_done(client, db, status):
    run = await world.a_run(db, status=status)

    explanation = await explained(client, run)

    assert explanation["gates"] == []
    assert explanation["summary"].startswith(status)
    if status is not Status.COMPLETED:
        assert "replay" in explanation["summary"]
