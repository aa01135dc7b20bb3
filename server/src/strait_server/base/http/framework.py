"""Where Litestar meets our contract: its requests, answers, errors and schemas, our way."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.openapi.spec import Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.response.base import ASGIResponse
from litestar.typing import FieldDefinition

from strait_server.base.http import bodies
from strait_server.base.http.exchange import Answer, exchange_of, send_answer
from strait_server.base.http.problems import render


class JSONRequest(Request[Any, Any, Any]):
    """A request whose body is JSON, whatever its content type says.

    No bytes at all mean `{}` (api 1.2): a client with nothing to say sends none.
    """

    async def body(self) -> bytes:
        return await super().body() or b"{}"

    async def json(self) -> Any:
        """Read the body as the route declares it; leave it as it came for a face."""
        field = self.route_handler.parsed_data_field
        body = await self.body()
        if field is None or "face" in self.route_handler.opt:
            return body
        return bodies.decode(body, field.annotation)


class Ready(ASGIResponse):
    """An answer that is complete already, headers and all."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002 - ASGI
        await send_answer(self._answer, send)


class _Refusal(Response[None]):
    """What an exception handler gives to Litestar, so that it sends our answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(None)
        self._answer = answer

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        return Ready(self._answer)


def refuse(request: Request[Any, Any, Any], error: Exception) -> Response[None]:
    """Answer for any exception, in our words."""
    return _Refusal(render(error, exchange_of(request.scope).request_id))


class Blank(OpenAPISchemaPlugin):
    """Keeps Litestar from describing our types: `schemas.py` does, in msgspec's own words."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        kind = field_definition.annotation
        return kind is msgspec.Raw or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))

    def to_openapi_schema(self, *_: Any, **__: Any) -> Schema:
        return Schema()
