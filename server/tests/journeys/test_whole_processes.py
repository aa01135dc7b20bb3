"""One process that is API and worker, and several under one supervisor (design 6; 14.5, D18).

They are killed and told to stop under load; see `Customers` for what nobody may hear.
"""

import signal

import psutil
import pytest
from journeys.machine import BACK, eventually
from journeys.stage import SERVER, check
from journeys.storm import Storm, say

SEED = 5
TWO = (*SERVER, "--processes", "2")
DRAINED = 15.0


@pytest.fixture
async def whole(settled):
    """Lend a stage without an API; whoever serves there is API and worker."""
    settled.kill(settled.api)
    yield settled
    settled.api.signal(signal.SIGTERM)
    await settled.api.ended(within=DRAINED)
    await settled.start_api()


async def survives(stage, faults):
    """Have the faults happen under load, and nobody be let down."""
    storm = Storm(stage, SEED)
    await storm.rage(lambda: faults(storm.customers), workers=0)
    found = await storm.verdict()
    say("\n".join(storm.told()))
    check(found)
    return storm.customers


async def are_served(customers, count=50):
    """Wait until so many more runs were promised."""
    promised = len(customers.promised)
    await eventually(lambda: len(customers.promised) > promised + count, within=BACK)


async def has_two_children(program):
    """Wait until both are there and serve, and answer them."""
    await eventually(lambda: are_ready(program), within=BACK)
    return program.children()


def are_ready(program):
    return [line["msg"] for line in program.said()].count("ready") == 2


async def test_a_process_that_is_api_and_worker_is_killed_under_load(whole):
    await whole.start_api(mode="all")

    async def faults(customers):
        for _ in range(2):
            await are_served(customers)
            whole.kill(whole.api)
            await whole.start_api(mode="all")
        await are_served(customers)

    await survives(whole, faults)


async def test_a_process_that_is_told_to_stop_under_load_lets_nobody_down(whole):
    """Who had a connection is answered; who comes too late is not let in (14.5)."""
    await whole.start_api(mode="all")

    async def faults(customers):
        for _ in range(3):
            await are_served(customers)
            whole.api.signal(signal.SIGTERM)
            assert await whole.api.ended(within=DRAINED) == 0
            await whole.start_api(mode="all")
        await are_served(customers)

    customers = await survives(whole, faults)

    assert customers.answers.keys() <= {"201", "200", "ConnectError"}


async def test_one_of_two_processes_is_killed_under_load(whole):
    """The other one serves, its runs are rescued, and the supervisor starts a third."""
    await whole.start_api(*TWO, mode="all")

    async def faults(customers):
        one, other = await has_two_children(whole.api)
        await are_served(customers)
        whole.fault()
        one.kill()
        await eventually(lambda: len(whole.api.children()) == 2 and not one.is_running(), within=5)
        await are_served(customers)
        assert other.is_running()

    await survives(whole, faults)


async def test_two_processes_end_with_their_supervisor(whole):
    """They finish what they have begun; nobody else could tell them to, or take their port."""
    await whole.start_api(*TWO, mode="all")

    async def faults(customers):
        children = await has_two_children(whole.api)
        await are_served(customers)
        whole.kill(whole.api)
        await eventually(lambda: not any(map(is_alive, children)), within=DRAINED)
        await whole.start_api(*TWO, mode="all")
        await are_served(customers)

    await survives(whole, faults)


async def test_a_supervisor_that_is_told_to_stop_drains_both(whole):
    """D18: everything under way is finished, and the exit code is 0."""
    await whole.start_api(*TWO, mode="all")

    async def faults(customers):
        children = await has_two_children(whole.api)
        await are_served(customers)
        whole.api.signal(signal.SIGTERM)
        assert await whole.api.ended(within=DRAINED) == 0
        assert not any(map(is_alive, children))
        assert not await whole.rows("select id from leases union all select 1 from workers")
        await whole.start_api(mode="all")
        await are_served(customers)

    await survives(whole, faults)


def is_alive(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
