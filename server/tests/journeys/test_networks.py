"""A network that swallows answers between a worker and PostgreSQL (behaviour 8.4, D20)."""

import pytest
from journeys.machine import eventually
from journeys.wire import Wire

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
    """A worker that reaches PostgreSQL through the wire only."""
    dsn = f"postgresql://strait@127.0.0.1:{wire.port}/strait?sslmode=disable"
    return await stage.start_worker(DATABASE_URL=dsn, **HASTY)


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
