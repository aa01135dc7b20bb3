"""Real workers and a real endpoint; and what workers know of endpoints."""

import pytest
from crew import endpoint, hire, mortal

from strait_server.base.db.database import Line
from strait_server.work.dispatch.service.endpoints import Endpoints

__all__ = ["endpoint", "hire", "mortal"]


@pytest.fixture
async def new_worker(database):
    """What another worker knows of endpoints: nothing yet."""
    lines = []

    def make():
        lines.append(Line(database))
        return Endpoints(database, lines[-1])

    yield make
    for line in lines:
        await line.close()
