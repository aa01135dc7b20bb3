"""The routes of one room, served as the framework serves them, without the edge before it."""

from contextlib import asynccontextmanager

import httpx
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide

from strait_server.base.http.exchange import Exchange, enter
from strait_server.base.http.framework import JSONRequest, refuse
from strait_server.base.http.guards import LIMITS
from strait_server.base.http.limits import AddressLimits, Limiter, Rate
from strait_server.base.http.pages import PageRequest, read_page
from strait_server.base.http.params import FromQuery
from strait_server.tenancy.access.model import Actor


def routes(*handlers, guards=(), state=None, **given):
    """Serve handlers; `given` are the dependencies they name, beside the actor and the page."""
    return Litestar(
        handlers,
        guards=guards,
        dependencies={
            "actor": Provide(_actor_of, sync_to_thread=False),
            "page": Provide(_page_of, sync_to_thread=False),
            **{name: _given(value) for name, value in given.items()},
        },
        request_class=JSONRequest,
        exception_handlers={Exception: refuse},
        state=State(
            {LIMITS: AddressLimits(Limiter(), everything=Rate(), triggers=Rate()), **(state or {})},
            deep_copy=False,
        ),
        openapi_config=None,
        logging_config=None,
    )


@asynccontextmanager
async def client_of(app, actor=None):
    """Call an app as `actor`; without one, its guards say who calls."""

    async def edge(scope, receive, send):
        exchange = Exchange(
            request_id="req",
            address="192.0.2.1",
            secure=True,
            headers=dict(scope["headers"]),
            actor=actor,
        )
        enter(scope, exchange)

        async def complete(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *exchange.extra]
            await send(message)

        await app(scope, receive, complete)

    transport = httpx.ASGITransport(edge, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://strait") as client:
        yield client


def _given(value):
    return Provide(lambda: value, sync_to_thread=False)


def _actor_of(request: JSONRequest) -> Actor:
    return request.scope["strait"].actor


def _page_of(
    limit: FromQuery[str | None] = None, cursor: FromQuery[str | None] = None
) -> PageRequest:
    return read_page(limit, cursor)
