"""Who may call a route: the permission stands on the route, by name."""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from strait_server.base.errors import Forbidden, Unauthorized
from strait_server.base.http.exchange import Holder, exchange_of
from strait_server.base.http.limits import AddressLimits, RouteLimit

Connection = ASGIConnection[Any, Any, Any, Any]
LIMITS: Final = "limits"  # under which the application keeps its `AddressLimits`


class Credentials(StrEnum):
    """What a route asks of its caller, as `opt={"credentials": …}`.

    A route that says nothing is asked by its path: run tokens below `/sdk/`,
    API keys or the internal secret below `/v1/`, nothing elsewhere.
    """

    NONE = "none"
    OPTIONAL = "optional"
    CALLER = "caller"
    RUN = "run"


def credentials_of(handler: BaseRouteHandler, path: str) -> Credentials:
    """Tell what this route asks of its caller."""
    named = handler.opt.get("credentials")
    if named is not None:
        return Credentials(named)
    if path.startswith("/sdk/"):
        return Credentials.RUN
    return Credentials.CALLER if path.startswith("/v1/") else Credentials.NONE


class Requires:
    """A guard that lets those through who hold one of the scopes."""

    def __init__(self, *scopes: str) -> None:
        self.scopes: Final = scopes

    async def __call__(self, connection: Connection, _: BaseRouteHandler) -> None:
        check_scope(exchange_of(connection.scope).actor, *self.scopes)


def requires(*scopes: str) -> Requires:
    """Let a caller through who holds any of the scopes; 403 otherwise."""
    return Requires(*scopes)


def at_most(most: RouteLimit) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """Let an address through so many times per minute, or as often as triggers; then 429."""

    async def check(connection: Connection, handler: BaseRouteHandler) -> None:
        limits: AddressLimits = connection.app.state[LIMITS]
        limits.admit_to(exchange_of(connection.scope), handler.handler_name, most)

    return check


def check_scope(actor: Holder | None, *scopes: str) -> None:
    """Raise unless the actor holds one of the scopes."""
    if actor is None:
        raise Unauthorized("missing bearer token")
    if not any(map(actor.may, scopes)):
        raise Forbidden(f"insufficient permissions: requires {scopes[0]}")


def scope_of(actor: Holder | None, handler: BaseRouteHandler) -> str | None:
    """Tell in which project's scope a route works; None: in that of the owner."""
    if actor is None or (actor.is_internal and "across_projects" in handler.opt):
        return None
    return actor.project_id


PUBLIC: Final[Mapping[str, Any]] = {"credentials": Credentials.NONE}
OPEN_TO_ALL: Final[Mapping[str, Any]] = {"credentials": Credentials.OPTIONAL}
# Where our own services may name another project than the one they act in.
ACROSS_PROJECTS: Final[Mapping[str, Any]] = {"across_projects": True}
