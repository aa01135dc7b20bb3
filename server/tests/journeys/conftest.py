"""Stages for journeys: one where nothing but workers and the API dies, and one to be wrecked.

Both are set once: a PostgreSQL and an API take a few seconds. Every test starts
workers of its own, and leaves a stage on which the auditor finds nothing wrong.
"""

import pytest
from journeys.stage import standing


@pytest.fixture(scope="session")
async def common():
    async with standing() as stage:
        yield stage


@pytest.fixture(scope="session")
async def common_wreck():
    async with standing() as stage:
        yield stage


@pytest.fixture
async def stage(common):
    """Lend a stage whose PostgreSQL nobody touches."""
    yield common
    await common.stop_workers()
    await common.audit()


@pytest.fixture
async def settled(stage):
    """Lend it when its PostgreSQL is so old that lost workers are taken for lost at once."""
    await stage.postgres.is_settled()
    return stage


@pytest.fixture
async def wreck(common_wreck):
    """Lend a stage on which everything may crash."""
    yield common_wreck
    await common_wreck.stop_workers()
    await common_wreck.audit()
