"""Requests of one turn of the event loop leave together."""

import asyncio
import socket
from contextlib import suppress

import pytest

from strait_server.base.outbound.outbox import Outbox


@pytest.fixture
async def wire():
    """Make pairs: a transport, and the socket at its other end."""
    made = []

    async def _wire():
        near, far = socket.socketpair()
        far.settimeout(0)
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, sock=near
        )
        made.append((transport, far))
        return transport, far

    yield _wire
    for transport, far in made:
        transport.abort()
        far.close()


async def arrived(far):
    """Read what has come, once those who send had their turn."""
    for _ in range(3):
        await asyncio.sleep(0)
    with suppress(BlockingIOError):
        return far.recv(65536)
    return None


async def test_messages_leave_in_their_order_at_the_end_of_the_turn(wire):
    outbox = Outbox()
    transport, far = await wire()

    outbox.put(transport, b"one")
    outbox.put(transport, b"two")

    with pytest.raises(BlockingIOError):
        far.recv(1)
    assert await arrived(far) == b"onetwo"


async def test_many_messages_do_not_wait_for_the_end_of_the_turn(wire):
    outbox = Outbox()
    transport, far = await wire()

    for _ in range(33):
        outbox.put(transport, b"x")

    assert far.recv(65536) == b"x" * 32
    assert await arrived(far) == b"x"


async def test_a_transport_that_was_closed_meanwhile_sends_nothing_and_keeps_nobody_back(wire):
    outbox = Outbox()
    closed, its_end = await wire()
    other, far = await wire()

    outbox.put(closed, b"late")
    outbox.put(other, b"in time")
    closed.abort()

    assert await arrived(far) == b"in time"
    assert await arrived(its_end) == b""
