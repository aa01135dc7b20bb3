"""Processes that take triggers."""

from contextlib import AsyncExitStack

import pytest
import world
from work.intake.triggering import Process


@pytest.fixture
async def start(db, request, api):
    """Start processes: on the test's own database, or on the connection that all tests share."""
    is_its_own = "database" in request.fixturenames
    async with AsyncExitStack() as stack:

        async def start(on=None, **limits):
            process = Process(on or api.services.database, worth=world.WORTH, **limits)
            stack.push_async_callback(process.stop, hang_up=is_its_own)
            return process

        yield start


@pytest.fixture
async def process(start):
    return await start()


@pytest.fixture
async def other(database, start):
    """Start a second process; the two race, so what they do is committed."""
    return await start()
