"""A second endpoint for when the first is unwell (behaviour 3.5)."""

import crew
import pytest
import world
from endpoint import answer, hang, hang_up

from strait_server.work.queue.model import Status


async def with_fallback(db, hire, endpoint, **columns):
    await hire()
    job = await world.a_job(
        db,
        endpoint_url=endpoint.url("/primary"),
        fallback_endpoint_url=endpoint.url("/fallback"),
        **{"max_attempts": 1, **columns},
    )
    await world.a_secret(db, "TOKEN", "value")
    [run] = await world.queued(db, job, 1, payload=b'{"n": 1}')
    return run


@pytest.mark.parametrize("script", [answer(500), answer(429), answer(408), hang_up])
async def test_the_fallback_answers_for_a_primary_that_is_unwell(db, hire, endpoint, script):
    endpoint.on("/primary", script)
    endpoint.on("/fallback", answer(body=b'"second"'))
    run = await with_fallback(db, hire, endpoint)

    await crew.ended(db, run.id)

    row = await crew.the_run(db, run.id)
    assert (row["status"], bytes(row["result"])) == ("completed", b'"second"')


async def test_the_fallback_is_sent_the_very_same_request(db, hire, endpoint):
    """T22: token, secrets and all; only the URL differs."""
    endpoint.on("/primary", answer(500))
    run = await with_fallback(db, hire, endpoint)

    await crew.ended(db, run.id)

    primary, fallback = endpoint.requests
    assert (primary.path, fallback.path) == ("/primary", "/fallback")
    assert fallback.headers == primary.headers
    assert fallback.body == primary.body
    assert fallback["X-Secret-TOKEN"] == "value"


@pytest.mark.parametrize("status", [400, 401])
async def test_a_wrong_request_is_not_sent_twice(db, hire, endpoint, status):
    endpoint.on("/primary", answer(status))
    run = await with_fallback(db, hire, endpoint)

    await crew.ended(db, run.id)

    assert endpoint.to("/fallback") == []


async def test_if_both_fail_the_class_is_that_of_the_primary(db, hire, endpoint):
    """T32."""
    endpoint.on("/primary", answer(503, b"full"))
    endpoint.on("/fallback", answer(400, b"what?"))
    run = await with_fallback(db, hire, endpoint, max_attempts=2)

    await crew.waits(db, run.id, "retry")

    row = await crew.the_run(db, run.id)
    assert row["error_class"] == "server"
    assert row["error"] == (
        "primary dispatch failed: endpoint returned 503: full; "
        "fallback dispatch failed: endpoint returned 400: what?"
    )


async def test_a_primary_that_used_up_the_time_leaves_some_to_the_fallback(db, hire, endpoint):
    """T32."""
    endpoint.on("/primary", hang)
    run = await with_fallback(db, hire, endpoint, timeout_secs=1)

    assert await crew.ended(db, run.id) == {run.id: Status.COMPLETED}


async def test_the_answer_is_credited_to_who_gave_it(db, hire, endpoint):
    endpoint.on("/primary", answer(500))
    run = await with_fallback(db, hire, endpoint)
    await crew.ended(db, run.id)

    async def reported():
        rows = await db.raw.fetch("select endpoint, failures, health_score from endpoint_circuits")
        return {row["endpoint"]: (row["failures"], row["health_score"]) for row in rows}

    async def both():
        return len(await reported()) == 2

    await crew.eventually(both)
    known = await reported()
    assert known[endpoint.url("/primary")] == (1, pytest.approx(90.0))
    assert known[endpoint.url("/fallback")] == (0, pytest.approx(100.0, abs=0.1))
