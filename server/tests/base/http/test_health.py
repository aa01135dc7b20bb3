"""Living and ready (api 9.1, behaviour 15.4; T121)."""

import asyncio

import asyncpg
import pytest

from strait_server.base.errors import Unavailable
from strait_server.base.http.health import Check, ComponentStatus, Health


async def well():
    """Nothing to complain about."""


async def unwell():
    raise Unavailable("the database does not answer")


def a_health(*checks):
    return Health(checks, edition="community", version="1.2.3")


async def test_all_is_up():
    health = a_health(Check(name="database", probe=well, critical=True))

    [component] = await health.components()

    assert (component.name, component.status) == ("database", ComponentStatus.UP)
    assert health.overall([component]) is ComponentStatus.UP


async def test_what_we_cannot_do_without_takes_us_down():
    health = a_health(
        Check(name="database", probe=unwell, critical=True), Check(name="feed", probe=well)
    )

    components = await health.components()

    assert [it.error for it in components] == ["the database does not answer", ""]
    assert health.overall(components) is ComponentStatus.DOWN


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError("connection reset"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_lost_database_says_it_is_down(error):
    async def lost():
        raise error

    [component] = await a_health(Check(name="database", probe=lost)).components()

    assert component.status is ComponentStatus.DOWN


async def test_what_we_can_do_without_does_not():
    """T121."""
    health = a_health(
        Check(name="database", probe=well, critical=True), Check(name="feed", probe=unwell)
    )

    assert health.overall(await health.components()) is ComponentStatus.DEGRADED


async def test_however_many_ask_we_look_once():
    looks = []

    async def look():
        looks.append(1)
        await asyncio.sleep(0)

    health = a_health(Check(name="database", probe=look, critical=True))

    await asyncio.gather(*(health.components() for _ in range(20)))

    assert len(looks) == 1
