"""What the tests of runs have in common: a process's means, and the door to its routes."""

import httpx
import pytest
import world
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from msgspec import Struct

from strait_server.base.http.exchange import Exchange, enter
from strait_server.base.http.faces import CONTEXT
from strait_server.base.http.framework import JSONRequest, refuse
from strait_server.base.http.guards import LIMITS
from strait_server.base.http.limits import AddressLimits, Limiter, Rate
from strait_server.base.http.pages import PageRequest, read_page
from strait_server.base.http.params import FromQuery
from strait_server.tenancy.access.model import Actor
from strait_server.work.runs.routes.router import router
from strait_server.work.runs.service.means import Means


class Context(Struct):
    database: object
    run_means: Means


@pytest.fixture
def means(api):
    """Give what a process has. Its definitions are those that the test sees."""
    return Means(definitions=api.services.definitions, worth=world.WORTH)


@pytest.fixture
async def enter_as(db, api, means):
    """Open the door for an actor."""
    await world.a_project(db)
    context = Context(api.services.database, means)
    app = Litestar(
        [router],
        dependencies={
            "db": Provide(lambda: db, sync_to_thread=False),
            "actor": Provide(_actor_of, sync_to_thread=False),
            "run_means": Provide(lambda: means, sync_to_thread=False),
            "page": Provide(_page_of, sync_to_thread=False),
        },
        request_class=JSONRequest,
        exception_handlers={Exception: refuse},
        state=State(
            {
                CONTEXT: context,
                LIMITS: AddressLimits(Limiter(), everything=Rate(), triggers=Rate()),
            },
            deep_copy=False,
        ),
        openapi_config=None,
        logging_config=None,
    )
    opened = []

    async def enter_as(actor):
        async def edge(scope, receive, send):
            enter(
                scope,
                Exchange(request_id="req", address="", secure=True, headers={}, actor=actor),
            )
            await app(scope, receive, send)

        opened.append(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(edge, raise_app_exceptions=False),
                base_url="http://strait",
            )
        )
        return opened[-1]

    yield enter_as
    for client in opened:
        await client.aclose()


@pytest.fixture
async def client(enter_as):
    """Somebody who may do everything in the project `proj_1`."""
    return await enter_as(world.an_actor())


def _actor_of(request: JSONRequest) -> Actor:
    return request.scope["strait"].actor


def _page_of(
    limit: FromQuery[str | None] = None, cursor: FromQuery[str | None] = None
) -> PageRequest:
    return read_page(limit, cursor)
