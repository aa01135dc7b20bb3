"""A network that swallows answers between a worker and PostgreSQL (behaviour 8.4, D20)."""

import pytest
from journeys.endpoint import works_for
from journeys.machine import eventually
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


async def start_far_worker(stage, wire, **environ):
    """Start a worker that reaches PostgreSQL through the wire only."""
    dsn = f"postgresql://strait@127.0.0.1:{wire.port}/strait?sslmode=disable"
    return await stage.start_worker(DATABASE_URL=dsn, **HASTY | environ)


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


async def one_connection_goes_silent(wire):
    wire.word, wire.local = b"the bad word", True
