"""Hot routes, written once and reached through two doors (design 5.1).

A face is a plain function from a request to an answer, bytes on both sides.
Litestar mounts it, so that it is documented, guarded and found like any other
route; the express lane calls it directly, because the way through a framework
costs more than the work. Both hand it the same `Request`, so it cannot tell
them apart, and neither can the caller.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Generic, Self, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.response.base import ASGIResponse
from msgspec import Struct

from strait_server.base.http.exchange import Answer, Exchange, Headers, exchange_of
from strait_server.base.http.framework import JSONRequest, Ready
from strait_server.base.http.guards import at_most, check_scope, requires
from strait_server.base.http.limits import AddressLimits, RouteLimit
from strait_server.base.http.params import JSONBody

C = TypeVar("C")

CONTEXT: Final = "context"
_JSON: Final = (b"content-type", b"application/json")
_NO_OPT: Final[Mapping[str, Any]] = MappingProxyType({})
_encode: Final = msgspec.json.Encoder().encode


class Request(Struct, frozen=True, kw_only=True):
    """What a face sees of a request.

    `exchange` knows the actor, the headers and the request id. Parameters of
    path and query are texts, as they came.
    """

    exchange: Exchange
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


class Face(Struct, Generic[C], frozen=True, kw_only=True):
    """A hot route.

    `call` gets the context of the process, of which it declares what it needs.
    `path` is written as Litestar writes it, with `:str` parameters only. The
    rest is documentation: `answers` are the bodies by status, the usual one
    first, `body` is that of the request, `headers` and `parameters` are the
    optional ones it reads. Either door asks for one of `scopes` first and
    counts against `at_most`.
    """

    operation_id: str
    method: HttpMethod
    path: str
    call: Callable[[C, Request], Awaitable[Answer]]
    answers: Mapping[int, Any]
    body: Any = None
    scopes: Sequence[str] = ()
    at_most: RouteLimit | None = None
    tags: Sequence[str] = ()
    headers: Sequence[str] = ()
    parameters: Sequence[str] = ()
    opt: Mapping[str, Any] = _NO_OPT

    def __deepcopy__(self, _: object) -> Self:
        """Stay what it is when Litestar copies a router."""
        return self


def admit(face: Face[Any], exchange: Exchange, limits: AddressLimits) -> None:
    """Ask what the guards of the mounted route ask, in the same order."""
    if face.scopes:
        check_scope(exchange.actor, *face.scopes)
    if face.at_most is not None:
        limits.admit_to(exchange, face.operation_id, face.at_most)


def json_answer(status: int, value: object, *, headers: Headers | None = None) -> Answer:
    """Answer with a value as JSON."""
    return Answer(status, [_JSON, *(headers or ())], _encode(value))


def read_query(query_string: bytes) -> Mapping[str, str]:
    """Read the parameters of a query, the last of each name."""
    if not query_string:
        return {}
    return dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))


def mount(face: Face[Any]) -> HTTPRouteHandler:
    """Make a Litestar route of a face, documented by the docstring of its function."""

    async def answer(request: JSONRequest) -> ASGIResponse:
        return await respond(request, b"")

    async def answer_body(request: JSONRequest, data: Any) -> ASGIResponse:
        return await respond(request, data)

    async def respond(request: JSONRequest, body: bytes) -> ASGIResponse:
        given = Request(
            exchange=exchange_of(request.scope),
            path={name: str(value) for name, value in request.path_params.items()},
            query=read_query(request.scope["query_string"]),
            body=body,
        )
        return Ready(await face.call(request.app.state[CONTEXT], given))

    door: Callable[..., Awaitable[ASGIResponse]] = answer
    if face.body is not None:
        body: Any = JSONBody
        answer_body.__annotations__["data"] = body[face.body]
        door = answer_body
    door.__name__ = face.operation_id
    return HTTPRouteHandler(
        face.path,
        http_method=face.method,
        operation_id=face.operation_id,
        status_code=next(iter(face.answers)),
        guards=_guards(face),
        tags=face.tags,
        description=inspect.getdoc(face.call),
        responses={
            status: ResponseSpec(body, generate_examples=False, description="")
            for status, body in face.answers.items()
        },
        opt={**face.opt, "face": face},
    )(door)


def _guards(face: Face[Any]) -> list[Any]:
    guards: list[Any] = [requires(*face.scopes)] if face.scopes else []
    if face.at_most is not None:
        guards.append(at_most(face.at_most))
    return guards
