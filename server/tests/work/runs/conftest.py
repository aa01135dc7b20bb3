"""What the tests of runs have in common: a process's means, and the door to its routes."""

from contextlib import AsyncExitStack

import pytest
import serving
import world
from msgspec import Struct

from strait_server.base.http.faces import CONTEXT
from strait_server.work.runs.routes.router import router
from strait_server.work.runs.service.means import Means


class Context(Struct):
    database: object
    run_means: Means


@pytest.fixture
def means(api):
    """Give what a process has. Its definitions are those that the test sees."""
    return Means(
        definitions=api.services.definitions,
        lookups=api.services.database,
        worth=world.WORTH,
    )


@pytest.fixture
async def enter_as(db, api, means):
    """Open the door for an actor."""
    await world.a_project(db)
    context = Context(api.services.database, means)
    app = serving.routes(router, state={CONTEXT: context}, db=db, run_means=means)
    async with AsyncExitStack() as stack:

        async def enter_as(actor):
            return await stack.enter_async_context(serving.client_of(app, actor))

        yield enter_as


@pytest.fixture
async def client(enter_as):
    """Somebody who may do everything in the project `proj_1`."""
    return await enter_as(world.an_actor())
