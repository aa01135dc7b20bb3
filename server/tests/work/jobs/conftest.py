"""What the tests of jobs have in common: a process's means, who is asking, and the door."""

import socket
from contextlib import AsyncExitStack

import pytest
import serving
import world

from strait_server.base.crypto.sealing import Sealer
from strait_server.base.db.database import Database
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
    app = serving.routes(router, db=db, job_means=means)
    async with AsyncExitStack() as stack:

        async def enter_as(*scopes):
            return await stack.enter_async_context(
                serving.client_of(app, an_actor(project_id, *scopes))
            )

        yield enter_as


@pytest.fixture
async def client(enter_as):
    return await enter_as("jobs:read", "jobs:write")
