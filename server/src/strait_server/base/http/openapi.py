"""The public contract as an OpenAPI document (api 9.1).

Litestar finds the paths and parameters of the routes, msgspec describes their
bodies (`schemas.py`), and here is added what neither can know: who may call,
and every error in our envelope. The result is a plain document, for the page
at `/reference` and for `openapi.json`.
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from strait_server.base.http.faces import Face
from strait_server.base.http.guards import Credentials, Requires, credentials_of
from strait_server.base.http.schemas import Document, Schemas, given_by, published, taken_by

_JSON: Final = "application/json"
_BEARER: Final = {"bearerAuth": list[str]()}
_INTERNAL: Final = {"internalSecret": list[str]()}
_RUN: Final = {"runToken": list[str]()}
_SECURITY: Final[Mapping[Credentials, Sequence[Document]]] = {
    Credentials.NONE: [],
    Credentials.OPTIONAL: [{}, _BEARER, _INTERNAL],
    Credentials.CALLER: [_BEARER, _INTERNAL],
    Credentials.RUN: [_RUN],
}
_SCHEMES: Final[Document] = {
    "bearerAuth": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or the internal secret.",
    },
    "internalSecret": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Internal-Secret",
        "description": "The secret of trusted services.",
    },
    "runToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The token of a run, for job code.",
    },
}
_PROBLEM: Final[Document] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong.",
    "required": ["error", "code", "message"],
    "properties": {
        "error": {"type": "string", "description": "The same as message."},
        "code": {"type": "string", "description": "For programs; never renamed."},
        "message": {"type": "string", "description": "For people."},
        "details": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Single findings.",
        },
        "request_id": {"type": "string", "description": "To find the request in the log."},
    },
}
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_FAILURES: Final = (400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503)


def describe(app: Litestar) -> Document:
    """Make the document of all routes of an application that has an OpenAPI configuration."""
    found = [
        (route.path_format or "/", method, handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if handler.resolve_include_in_schema()
    ]
    document: Document = app.openapi_schema.to_schema()
    schemas = Schemas()
    for path, method, handler in found:
        operation = document["paths"][path][method.lower()]
        document["paths"][path][method.lower()] = _Operation(
            operation, path, method, handler, schemas
        ).described()
    document["components"] = {
        "securitySchemes": _SCHEMES,
        "responses": {_name(status): _failure(status) for status in _FAILURES},
        "schemas": {"Problem": _PROBLEM, **dict(sorted(schemas.components.items()))},
    }
    return document


class _Operation:
    """One operation of the document, with the route behind it."""

    def __init__(
        self,
        found: Document,
        path: str,
        method: str,
        handler: HTTPRouteHandler,
        schemas: Schemas,
    ) -> None:
        self._found = found
        self._method = method
        self._handler = handler
        self._schemas = schemas
        self._credentials = credentials_of(handler, path)
        self._parameters = [*map(_plain, found.get("parameters", ())), *self._face_parameters()]

    def described(self) -> Document:
        name: str = self._found["operationId"]
        described: Document = {
            "operationId": name,
            "summary": _sentence(name),
            "description": published(self._found.get("description", "")),
            "tags": self._found.get("tags", []),
            "security": list(_SECURITY[self._credentials]),
        }
        if scopes := self._scopes():
            described["x-required-scopes"] = scopes
        if self._parameters:
            described["parameters"] = self._parameters
        if (body := taken_by(self._handler)) is not None:
            described["requestBody"] = self._body(body)
        described["responses"] = self._responses()
        return described

    def _scopes(self) -> list[str]:
        return [
            scope
            for guard in self._handler.resolve_guards()
            if isinstance(guard, Requires)
            for scope in guard.scopes
        ]

    def _face_parameters(self) -> Iterator[Document]:
        face: Face[Any] | None = self._handler.opt.get("face")
        if face is None:
            return
        for place, names in (("header", face.headers), ("query", face.parameters)):
            for name in names:
                yield {"name": name, "in": place, "required": False, "schema": {"type": "string"}}

    def _body(self, kind: Any) -> Document:
        """Describe the body; where none of its fields is required, there need be none."""
        schema = self._schemas.of(kind)
        named = self._schemas.components.get(schema.get("$ref", "").rpartition("/")[2], schema)
        return {"required": bool(named.get("required")), "content": {_JSON: {"schema": schema}}}

    def _responses(self) -> Document:
        responses: Document = {
            status: {"description": HTTPStatus(int(status)).phrase}
            for status in self._found["responses"]
            if status != "400"  # Litestar's own idea of an error
        }
        for status, kind in sorted(given_by(self._handler).items()):
            content = {_JSON: {"schema": self._schemas.of(kind)}}
            for media_type in self._handler.opt.get("also_as", ()):
                content[media_type] = {"schema": {"type": "string"}}
            responses[str(status)] = {
                "description": HTTPStatus(status).phrase,
                "content": content,
            }
        for status in self._failures():
            reference = {"$ref": f"#/components/responses/{_name(status)}"}
            responses.setdefault(str(status), reference)
        return responses

    def _failures(self) -> Iterator[int]:
        """Which errors there can be."""
        yield 400
        if self._credentials is not Credentials.NONE:
            yield from (401, 403)
        if self._method in _WRITES:
            yield from (404, 409, 413)
        elif any(parameter["in"] == "path" for parameter in self._parameters):
            yield 404
        yield from (429, 500, 503)
        yield from self._handler.opt.get("also_fails_with", ())


def _failure(status: int) -> Document:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _name(status: int) -> str:
    """`NotFound` for 404."""
    return "".join(word.capitalize() for word in HTTPStatus(status).name.split("_"))


def _plain(parameter: Document) -> Document:
    """Leave out what only repeats the defaults of the format."""
    noise = ("deprecated", "allowEmptyValue", "allowReserved", "description")
    plain = {key: value for key, value in parameter.items() if value or key not in noise}
    schema: Document = plain["schema"]
    some = [part for part in schema.pop("oneOf", ()) if part != {"type": "null"}]
    plain["schema"] = {**(some[0] if len(some) == 1 else {"anyOf": some} if some else {}), **schema}
    return plain


def _sentence(operation_id: str) -> str:
    """`cancelRun` reads "Cancel run"."""
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in operation_id)
    return words[:1].upper() + words[1:]
