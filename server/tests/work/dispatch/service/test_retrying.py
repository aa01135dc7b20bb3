"""What follows from a failed attempt (behaviour 4.1 to 4.5; 1.4 #12 to #14)."""

import crew
import pytest
import world
from endpoint import answer, hang

from strait_server.work.queue.model import Status

BOOM = answer(500, b"boom")


async def failing(db, hire, endpoint, *scripts, **columns):
    """A worker, and a run whose endpoint answers like this."""
    endpoint.on("/work", *scripts)
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), **columns)
    [run] = await world.queued(db, job, 1)
    return run


@pytest.mark.parametrize(
    ("columns", "nominal"),
    [
        ({}, [1, 2, 4]),
        ({"retry_strategy": "linear"}, [1, 2, 3]),
        ({"retry_strategy": "fixed"}, [1, 1, 1]),
        ({"retry_strategy": "custom", "retry_delays_secs": [5, 30]}, [5, 30, 30]),
    ],
    ids=["exponential", "linear", "fixed", "custom"],
)
async def test_the_delays_follow_the_strategy_of_the_job(db, hire, endpoint, columns, nominal):
    """T30; each within a fifth of it."""
    run = await failing(db, hire, endpoint, BOOM, max_attempts=4, **columns)

    waited = []
    for attempt in range(1, 4):
        await endpoint.heard(attempt)
        waited.append(await crew.waits(db, run.id, "retry"))
        await crew.make_due(db)
    await crew.ended(db, run.id)

    for delay, seconds in zip(waited, nominal, strict=True):
        assert 0.79 * seconds <= delay <= 1.21 * seconds


async def test_a_failed_attempt_leads_to_the_next_one_with_more_priority(db, hire, endpoint):
    run = await failing(db, hire, endpoint, BOOM, max_attempts=3, retry_priority_boost=4)

    await crew.waits(db, run.id, "retry")
    row = await crew.the_run(db, run.id)

    assert (row["status"], row["attempt"], row["priority"]) == ("queued", 2, 4)
    assert (row["error"], row["error_class"]) == ("endpoint returned 500: boom", "server")
    assert (row["started_at"], row["heartbeat_at"], row["finished_at"]) == (None, None, None)
    assert row["next_retry_at"] is not None
    assert await crew.moves(db, run.id) == ["queued", "dequeued", "executing", "queued"]


@pytest.mark.parametrize(
    ("priority", "boost", "expected"),
    [(0, 1, 1), (3, 0, 3), (9, 1, 10), (9, 5, 10), (9, 10, 10), (10, 1, 10)],
)
async def test_a_retry_is_boosted_up_to_ten(db, hire, endpoint, priority, boost, expected):
    endpoint.on("/work", BOOM)
    await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), retry_priority_boost=boost)

    [run] = await world.queued(db, job, 1, priority=priority)
    await crew.waits(db, run.id, "retry")

    assert (await crew.the_run(db, run.id))["priority"] == expected


async def test_a_run_is_sent_as_often_as_its_job_allows_and_then_a_dead_letter(db, hire, endpoint):
    run = await failing(db, hire, endpoint, BOOM, max_attempts=3)

    for attempt in (1, 2):
        await endpoint.heard(attempt)
        await crew.waits(db, run.id, "retry")
        await crew.make_due(db)
    await crew.ended(db, run.id)

    row = await crew.the_run(db, run.id)
    assert (row["status"], row["attempt"]) == ("dead_letter", 3)
    assert row["finished_at"] is not None
    assert endpoint.attempts() == {str(run.id): [1, 2, 3]}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 301])
async def test_what_cannot_get_better_is_a_dead_letter_at_once(db, hire, endpoint, status):
    run = await failing(db, hire, endpoint, answer(status), max_attempts=5)

    assert await crew.ended(db, run.id) == {run.id: Status.DEAD_LETTER}
    assert len(endpoint.requests) == 1


async def test_a_success_after_failures_is_a_success(db, hire, endpoint):
    run = await failing(db, hire, endpoint, BOOM, answer(body=b"7"), max_attempts=2)

    await crew.waits(db, run.id, "retry")
    await crew.make_due(db)
    await crew.ended(db, run.id)

    row = await crew.the_run(db, run.id)
    assert (row["status"], bytes(row["result"]), row["error"]) == ("completed", b"7", None)


@pytest.mark.parametrize("status", [429, 503])
async def test_an_endpoint_may_ask_for_patience(db, hire, endpoint, status):
    run = await failing(db, hire, endpoint, answer(status, Retry_After="120"), max_attempts=2)

    assert await crew.waits(db, run.id, "retry") == pytest.approx(120, abs=0.1)


async def test_no_more_patience_than_an_hour_is_granted(db, hire, endpoint):
    """T31: neither jitter nor the endpoint passes the cap."""
    run = await failing(db, hire, endpoint, answer(503, Retry_After="999999"), max_attempts=2)

    assert await crew.waits(db, run.id, "retry") == pytest.approx(3600, abs=0.1)


async def test_a_timeout_is_tried_again_and_then_times_out(db, hire, endpoint):
    run = await failing(db, hire, endpoint, hang, max_attempts=2, timeout_secs=1)

    await crew.waits(db, run.id, "retry")
    row = await crew.the_run(db, run.id)
    assert (row["error"], row["error_class"]) == ("execution timed out", "timeout")
    await crew.make_due(db)

    assert await crew.ended(db, run.id) == {run.id: Status.TIMED_OUT}
    assert endpoint.attempts() == {str(run.id): [1, 2]}


async def test_the_same_error_over_and_over_is_a_poison_pill(db, hire, endpoint):
    """Behaviour 4.5; the count survives retries, the hash is B.6's."""
    run = await failing(db, hire, endpoint, BOOM, max_attempts=9, poison_pill_threshold=2)

    await crew.waits(db, run.id, "retry")
    noted = (await crew.the_run(db, run.id))["metadata"]
    await crew.make_due(db)
    await crew.ended(db, run.id)

    assert b'"_error_hash": "569b19befa942358"' in bytes(noted)
    assert b'"_error_hash_count": "1"' in bytes(noted)
    row = await crew.the_run(db, run.id)
    assert (row["status"], row["attempt"]) == ("dead_letter", 2)
    assert row["error"] == (
        "poison pill detected (same error 2 times): endpoint returned 500: boom"
    )


async def test_another_error_is_counted_anew(db, hire, endpoint):
    run = await failing(
        db,
        hire,
        endpoint,
        BOOM,
        answer(500, b"bang"),
        BOOM,
        max_attempts=4,
        poison_pill_threshold=2,
    )

    for attempt in (1, 2, 3):
        await endpoint.heard(attempt)
        await crew.waits(db, run.id, "retry")
        await crew.make_due(db)

    assert await crew.ended(db, run.id) == {run.id: Status.DEAD_LETTER}
    assert len(endpoint.requests) == 4
