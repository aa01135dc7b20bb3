"""What the tests of jobs have in common: a process's means, who is asking, and the door."""

import socket
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
import world
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide

from strait_server.base.crypto.sealing import Sealer
from strait_server.base.db.database import Database
from strait_server.base.http.exchange import Exchange, enter
from strait_server.base.http.framework import JSONRequest, refuse
from strait_server.base.http.guards import LIMITS
from strait_server.base.http.limits import AddressLimits, Limiter, Rate
from strait_server.base.http.pages import PageRequest, read_page
from strait_server.base.http.params import FromQuery
from strait_server.base.outbound.resolver import Resolver
from strait_server.base.outbound.urls import EndpointPolicy
from strait_server.tenancy.access.model import Actor, ActorType
from strait_server.work.jobs.model import JobDefaults
from strait_server.work.jobs.routes import router
from strait_server.work.jobs.service.definitions import Definitions
from strait_server.work.jobs.service.means import Means

_ADDRESS_BY_NAME = {"svc.example": "93.184.216.34", "inside.example": "10.0.0.7"}


def _lookup(host):
    """Answer as the name service would."""
    if host not in _ADDRESS_BY_NAME:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")
    return [_ADDRESS_BY_NAME[host]]


@pytest.fixture
def resolver():
    resolver = Resolver(_lookup)
    yield resolver
    resolver.close()


@pytest.fixture
def means(postgres, resolver):
    """Give what a process has. Its definitions are never read: nothing is committed."""
    return Means(
        definitions=Definitions(Database(postgres.dsn), ttl_seconds=300),
        resolver=resolver,
        endpoints=EndpointPolicy(),
        sealer=Sealer(bytes(32)),
        defaults=JobDefaults(),
        worth=world.WORTH,
    )


def an_actor(project_id=world.PROJECT, *scopes):
    return Actor(
        id=f"apikey:{project_id}",
        type=ActorType.API_KEY,
        project_id=project_id,
        scopes=frozenset(scopes),
    )


@pytest.fixture
async def actor(db):
    return an_actor(await world.a_project(db))


@pytest.fixture
async def stranger(db):
    return an_actor(await world.a_project(db, "proj_2"))


@pytest.fixture
async def enter_as(db, means):
    """Open the door for somebody who holds these scopes."""
    project_id = await world.a_project(db)
    app = Litestar(
        [router],
        dependencies={
            "db": Provide(lambda: db, sync_to_thread=False),
            "actor": Provide(_actor_of, sync_to_thread=False),
            "job_means": Provide(lambda: means, sync_to_thread=False),
            "page": Provide(_page_of, sync_to_thread=False),
        },
        request_class=JSONRequest,
        exception_handlers={Exception: refuse},
        state=State({LIMITS: AddressLimits(Limiter(), everything=Rate(), triggers=Rate())}),
        openapi_config=None,
        logging_config=None,
    )
    async with AsyncExitStack() as stack:

        async def enter_as(*scopes):
            return await stack.enter_async_context(_door(app, an_actor(project_id, *scopes)))

        yield enter_as


@pytest.fixture
async def client(enter_as):
    return await enter_as("jobs:read", "jobs:write")


@asynccontextmanager
async def _door(app, actor):
    async def edge(scope, receive, send):
        enter(
            scope,
            Exchange(request_id="req", address="192.0.2.1", secure=True, headers={}, actor=actor),
        )
        await app(scope, receive, send)

    transport = httpx.ASGITransport(edge, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://strait") as client:
        yield client


def _actor_of(request: JSONRequest) -> Actor:
    return request.scope["strait"].actor


def _page_of(
    limit: FromQuery[str | None] = None, cursor: FromQuery[str | None] = None
) -> PageRequest:
    return read_page(limit, cursor)
