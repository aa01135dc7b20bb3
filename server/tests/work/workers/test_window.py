"""Execution windows hold when a run is claimed, also for retries (behaviour 2.11; T11, D25)."""

from datetime import timedelta

import crew
import pytest
import world
from endpoint import answer

from strait_server.base import clock
from strait_server.work.queue.model import Status


async def an_hour_ahead(db, hours=1):
    """A window that is closed now and opens in so many hours, and how many seconds that is."""
    now = await db.raw.fetchval("select now()")
    opens = (now + timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
    return f"* {opens.hour} * * *", (opens - now).total_seconds()


async def test_a_queued_run_outside_its_window_waits_until_it_opens(db, hire, endpoint):
    job = await world.a_job(db, endpoint_url=endpoint.url())
    [run] = await world.queued(db, job, 1)
    window, seconds = await an_hour_ahead(db, hours=3)
    await world.change_job(db, job, execution_window_cron=window)

    await hire()
    waiting = await crew.waits(db, run.id, "window")

    row = await crew.the_run(db, run.id)
    assert waiting == pytest.approx(seconds, abs=5)
    assert (row["status"], row["attempt"], row["started_at"]) == ("queued", 1, None)
    assert row["next_retry_at"].minute == 0
    assert row["next_retry_at"].second < 5
    assert endpoint.requests == []


async def test_a_retry_that_falls_outside_the_window_waits_until_it_opens(db, hire, endpoint):
    endpoint.on("/work", answer(500), answer())
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=2)
    [run] = await world.queued(db, job, 1)
    await crew.waits(db, run.id, "retry")
    window, _ = await an_hour_ahead(db, hours=2)
    await world.change_job(db, job, execution_window_cron=window)

    await crew.make_due(db)
    await crew.waits(db, run.id, "window")

    row = await crew.the_run(db, run.id)
    assert (row["attempt"], row["error"]) == (2, "endpoint returned 500: {}")
    assert len(endpoint.requests) == 1
    await world.change_job(db, job, execution_window_cron="* * * * *")
    await crew.make_due(db)
    assert await crew.ended(db, run.id) == {run.id: Status.COMPLETED}
    assert endpoint.attempts() == {str(run.id): [1, 2]}


async def test_the_window_is_read_in_the_time_zone_of_the_job(db, hire, endpoint):
    await hire()
    now = await db.raw.fetchval("select now() at time zone 'Pacific/Kiritimati'")
    job = await world.a_job(
        db,
        endpoint_url=endpoint.url(),
        timezone="Pacific/Kiritimati",
        execution_window_cron=f"* {now.hour},{(now.hour + 1) % 24} * * *",
    )

    [run] = await world.queued(db, job, 1)

    assert await crew.ended(db, run.id) == {run.id: Status.COMPLETED}


async def test_inside_its_window_a_run_is_sent(db, hire, endpoint):
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), execution_window_cron="* * * * *")

    [run] = await world.queued(db, job, 1)

    assert await crew.ended(db, run.id) == {run.id: Status.COMPLETED}


async def test_waiting_for_a_window_holds_no_place(db, hire, endpoint):
    """A run that cannot go leaves the job's places to others."""
    window, _ = await an_hour_ahead(db, hours=2)
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_concurrency=1)
    await world.queued(db, job, 2)
    await world.change_job(db, job, execution_window_cron=window)

    await hire()

    async def both_wait():
        return await world.count(db, "scheduled") == 2

    await crew.eventually(both_wait)
    assert await world.count(db, "slots") == 0


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_a_worker_whose_clock_is_wrong_schedules_right(
    db, hire, endpoint, monkeypatch, minutes
):
    """D25: the database tells the time."""
    now, unix, wrong = clock.now, clock.unix, timedelta(minutes=minutes)
    monkeypatch.setattr(clock, "now", lambda: now() + wrong)
    monkeypatch.setattr(clock, "unix", lambda: unix() + wrong.total_seconds())
    endpoint.on("/work", answer(500), answer())
    await hire()
    window, seconds = await an_hour_ahead(db, hours=3)
    outside = await world.a_job(db, endpoint_url=endpoint.url("/never"))
    inside = await world.a_job(db, endpoint_url=endpoint.url(), execution_window_cron="* * * * *")
    await world.change_job(db, outside, execution_window_cron=window)

    [retried] = await world.queued(db, inside, 1)
    [delayed] = await world.queued(db, outside, 1)

    assert await crew.waits(db, delayed.id, "window") == pytest.approx(seconds, abs=5)
    assert await crew.waits(db, retried.id, "retry") == pytest.approx(1, abs=0.3)
    due = await db.raw.fetchval(
        "select due_at - now() from scheduled where run_id = $1", retried.id
    )
    assert due < timedelta(seconds=1.5)
    await crew.make_due(db)
    assert await crew.ended(db, retried.id) == {retried.id: Status.COMPLETED}
