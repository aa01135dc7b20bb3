"""Networks that swallow answers between a process and PostgreSQL (behaviour 8.4, D20; api 3.2)."""

import asyncio
import time

import pytest
from journeys.endpoint import works_for
from journeys.machine import eventually
from journeys.stage import READY
from journeys.wire import Wire

LEASE = 6.0
WITHIN = 15.0  # seconds: five until nobody waits for the answer any more, and then some
HASTY = {"STALE_THRESHOLD": "2s", "HEARTBEAT_INTERVAL": "500ms", "POLLER_INTERVAL": "500ms"}


@pytest.fixture
async def wire(stage):
    wire = Wire(stage.postgres.socket)
    await wire.start()
    yield wire
    wire.mend()
    await stage.stop_workers()
    await wire.stop()


@pytest.fixture
async def far_worker(stage, wire):
    return await start_far_worker(stage, wire)


@pytest.fixture
async def far_api(stage, wire):
    """Start a second API, which reaches PostgreSQL through the wire only."""
    await stage.job("afar")
    async with stage.another_api(DATABASE_URL=wire.dsn("strait")) as customer:
        yield customer


async def start_far_worker(stage, wire, **environ):
    """Start a worker that reaches PostgreSQL through the wire only."""
    return await stage.start_worker(DATABASE_URL=wire.dsn("strait"), **HASTY | environ)


async def test_runs_whose_claim_was_committed_but_not_heard_of_are_not_lost(
    stage, wire, far_worker
):
    """The worker lives on and knows nothing of them; nobody else may take them."""
    await stage.job("astray")
    wire.word = b"the bad word"
    await stage.trigger("astray", 5, payload="the bad word")
    await eventually(lambda: wire.broken, within=5)
    assert {run["status"] for run in await stage.runs("astray")} == {"dequeued"}

    wire.mend()

    await stage.at_rest(within=15)
    assert [call.attempt for call in stage.endpoint.calls_to("astray")] == [1] * 5


async def test_a_connection_that_swallows_the_answer_to_a_claim_is_replaced(
    stage, wire, far_worker
):
    """All others work on, so nobody would take the worker for dead."""
    await stage.job("swallowed")
    await one_connection_goes_silent(wire)
    await stage.trigger("swallowed", 5, payload="the bad word")
    await eventually(lambda: wire.broken, within=5)
    wire.word = None

    await stage.at_rest(within=WITHIN)

    assert far_worker.has_said("claims had gone astray")
    assert [call.attempt for call in stage.endpoint.calls_to("swallowed")] == [1] * 5


async def test_a_connection_that_swallows_the_answer_to_an_outcome_is_replaced(
    stage, wire, far_worker
):
    """The outcome was written, and is written again to no effect; the worker's places are free."""

    async def answer_badly(visit):
        visit.answer(body=b'"the bad word"')

    stage.endpoint.play("unheard", answer_badly)
    await stage.job("unheard")
    await one_connection_goes_silent(wire)
    await stage.trigger("unheard", 5)
    await eventually(lambda: wire.broken, within=5)
    wire.word = None
    await stage.job("heard")
    await stage.trigger("heard", 5)

    await stage.at_rest(within=WITHIN)

    for job in ("unheard", "heard"):
        assert [call.attempt for call in stage.endpoint.calls_to(job)] == [1] * 5
        assert {len(run["moves"]) for run in await stage.runs(job)} == {4}


async def test_a_heartbeat_that_is_not_answered_costs_a_worker_nothing(settled, wire):
    """It beats again on another connection, before its lease runs out."""
    settled.endpoint.play("beaten", works_for(LEASE + 3.0))
    await settled.job("beaten")
    wire.word, wire.local = b"set alive_until", True
    worker = await start_far_worker(settled, wire, STALE_THRESHOLD=f"{LEASE:g}s")
    await settled.trigger("beaten")
    await eventually(lambda: wire.broken, within=5)
    wire.word = None
    await settled.start_worker(**HASTY)

    await settled.at_rest(within=LEASE + 6.0)

    assert [call.attempt for call in settled.endpoint.calls_to("beaten")] == [1]
    assert [line["msg"] for line in worker.said()].count("worker registered") == 1


async def test_a_trigger_whose_commit_was_not_heard_of_is_answered_and_made_once(
    stage, wire, far_api
):
    """The others wait as long as it does, and are made."""
    await one_connection_goes_silent(wire)
    before = len(await stage.runs("afar"))
    asked = time.monotonic()
    unheard = asyncio.create_task(trigger(far_api, payload="the bad word"))
    await eventually(lambda: wire.broken, within=5)
    wire.word = None
    answers = await asyncio.gather(unheard, *(trigger(far_api) for _ in range(5)))

    assert {answer.status_code for answer in answers} == {201}
    assert time.monotonic() - asked < WITHIN
    made = {str(run["id"]) for run in (await stage.runs("afar"))[before:]}
    assert made == {answer.json()["id"] for answer in answers}
    await stage.start_worker(**HASTY)
    await stage.at_rest(within=WITHIN)


async def test_a_trigger_without_a_network_is_told_to_come_back_and_is_made_once(
    stage, wire, far_api
):
    """Long before its request would end; with its key it can find out what it has."""
    before = len(await stage.runs("afar"))
    wire.word = b"COMMIT"
    asked = time.monotonic()

    answer = await trigger(far_api, key="once")

    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert time.monotonic() - asked < WITHIN
    wire.mend()
    again = await eventually(lambda: made_or_hit(far_api, key="once"), within=WITHIN)
    [run] = (await stage.runs("afar"))[before:]
    assert (again["id"], again["idempotency_hit"]) == (str(run["id"]), True)
    await stage.start_worker(**HASTY)
    await stage.at_rest(within=WITHIN)


async def test_an_api_is_ready_again_whose_look_at_the_database_was_swallowed(stage, wire):
    wire.word, wire.local = b"select 1", True

    async def others_are_heard():
        await eventually(lambda: wire.broken, within=READY)
        wire.word = None

    heard = asyncio.create_task(others_are_heard())
    async with stage.another_api(DATABASE_URL=wire.dsn("strait")) as customer:
        await heard
        assert (await customer.get("/health/ready")).json()["status"] == "up"


async def trigger(customer, *, key="", **body):
    return await customer.post("/v1/jobs/afar/trigger", json=body, headers={"Idempotency-Key": key})


async def made_or_hit(customer, *, key):
    """Tell what a trigger is answered, when it is not told to come back."""
    answer = await trigger(customer, key=key)
    return None if answer.status_code == 503 else answer.json()


async def one_connection_goes_silent(wire):
    wire.word, wire.local = b"the bad word", True
