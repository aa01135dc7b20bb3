"""The API of a process: the edge around the express lane around Litestar."""

import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Final, TypeAlias, cast

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import QueryParameter, SkipValidation

from strait_server.app.authentication import Authentication, Gate
from strait_server.app.express import Express
from strait_server.app.lifespan import Services, version
from strait_server.app.routes import FACES, ROUTERS
from strait_server.base.db.connection import Connection
from strait_server.base.http.clients import Proxies
from strait_server.base.http.edge import Edge, Rules
from strait_server.base.http.exchange import App, Holder, exchange_of
from strait_server.base.http.faces import CONTEXT
from strait_server.base.http.framework import Blank, JSONRequest, refuse
from strait_server.base.http.guards import LIMITS, scope_of
from strait_server.base.http.headers import Cors
from strait_server.base.http.limits import AddressLimits, Limiter, Rate
from strait_server.base.http.openapi import describe
from strait_server.base.http.pages import DEFAULT_LIMIT, MAX_LIMIT, PageRequest, read_page
from strait_server.base.http.reference import make_router
from strait_server.base.http.schemas import Document
from strait_server.base.settings import Settings
from strait_server.base.telemetry.access_log import AccessLog

_TITLE: Final = "Strait API"
_DESCRIPTION: Final = "Background jobs, workflows and AI-agent runs on PostgreSQL."
_PAYLOAD_BODY: Final = 6 * 1024 * 1024
_HAS_PAYLOAD: Final = re.compile(r"/v1/(?:jobs/[^/]+/trigger|runs/[^/]+/reschedule)")
_HAS_RESULT: Final = re.compile(r"/sdk/v1/runs/[^/]+/complete")
_BESIDE_RESULT: Final = 64 * 1024
_LIMIT_SCHEMA: Final = {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT}
_LIMIT_WORDS: Final = f"How many rows at most. More than {MAX_LIMIT} count as {MAX_LIMIT}."
_CURSOR_WORDS: Final = "The `next_cursor` of the page before."
_Limit: TypeAlias = Annotated[
    str | None, QueryParameter(schema_extra=_LIMIT_SCHEMA, description=_LIMIT_WORDS)
]
_Cursor: TypeAlias = Annotated[str | None, QueryParameter(description=_CURSOR_WORDS)]
_Anybody: TypeAlias = NamedDependency[SkipValidation[Holder | None]]


def build(services: Services) -> Edge:
    """Put the layers around each other: edge, express lane, Litestar with its guard and routes."""
    settings = services.settings
    limiter = Limiter()
    gate = Gate(services.keyring, services.tokens, settings.internal_secret, limiter)
    limits = AddressLimits(
        limiter,
        everything=Rate(settings.rate_limit_requests, settings.rate_limit_window.total_seconds()),
        triggers=Rate(
            settings.trigger_rate_limit_requests,
            settings.trigger_rate_limit_window.total_seconds(),
        ),
    )
    app = Litestar(
        [*ROUTERS, make_router(document)],
        guards=[Authentication(gate)],
        dependencies=_dependencies(services),
        exception_handlers={Exception: refuse},
        request_class=JSONRequest,
        request_max_body_size=None,  # the edge counts
        state=State({CONTEXT: services, LIMITS: limits}, deep_copy=False),
        openapi_config=None,
        logging_config=None,
    )
    lane = Express(cast("App", app), FACES, context=services, gate=gate, limits=limits)
    return Edge(
        lane,
        _rules(settings),
        metrics=services.metrics.http,
        limits=limits,
        access_log=AccessLog(settings.log_level, settings.log_format),
    )


def document() -> Document:
    """Describe the routes, with an application that serves nothing."""
    return describe(
        Litestar(
            list(ROUTERS),
            dependencies=_dependencies(None),
            request_class=JSONRequest,
            plugins=[Blank()],
            openapi_config=OpenAPIConfig(
                title=_TITLE,
                version=version(),
                description=_DESCRIPTION,
                render_plugins=[JsonRenderPlugin()],
                use_handler_docstrings=True,
            ),
            logging_config=None,
        )
    )


def _dependencies(services: Services | None) -> dict[str, Provide]:
    """List what routes may ask for by name: every field of the services, and these.

    The document needs the names only.
    """

    async def lend_connection(request: JSONRequest, actor: _Anybody) -> AsyncIterator[Connection]:
        # It asks for the actor, and so is taken last and for the shortest time.
        if services is not None:
            project_id = scope_of(actor, request.route_handler)
            async with services.database.connection(project_id) as db:
                yield db

    def actor_of(request: JSONRequest) -> Holder | None:
        return exchange_of(request.scope).actor

    def page_of(limit: _Limit = None, cursor: _Cursor = None) -> PageRequest:
        return read_page(limit, cursor)

    def part(read: Callable[[], object]) -> Provide:
        def itself() -> object:
            return read()

        return Provide(itself, sync_to_thread=False)

    return {
        "db": Provide(lend_connection),
        "actor": Provide(actor_of, sync_to_thread=False),
        "page": Provide(page_of, sync_to_thread=False),
        **{name: part(partial(getattr, services, name)) for name in Services.__struct_fields__},
    }


def _rules(settings: Settings) -> Rules:
    usual = settings.max_request_body_size
    with_payload = max(usual, _PAYLOAD_BODY)
    with_result = max(usual, settings.max_result_size + _BESIDE_RESULT)

    def body_limit(path: str) -> int:
        """Let what carries a payload or a result be longer: those have limits of their own."""
        if _HAS_PAYLOAD.match(path):  # api 1.2
            return with_payload
        return with_result if _HAS_RESULT.match(path) else usual

    return Rules(
        timeout_seconds=settings.request_timeout.total_seconds(),
        body_limit=body_limit,
        proxies=Proxies(settings.trusted_proxies),
        cors=Cors(settings.cors_allowed_origins, credentials=settings.cors_allow_credentials),
    )
