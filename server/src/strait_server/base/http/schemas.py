"""What bodies look like, as JSON Schema, from the types that read and write them.

msgspec describes its types exactly as it checks them, limits included; so the
document cannot promise what the server refuses.
"""

from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

Document = dict[str, Any]

_PLACE: Final = "#/components/schemas/{name}"


class Schemas:
    """The schemas of all types that some routes take and give."""

    def __init__(self, handlers: list[HTTPRouteHandler]) -> None:
        kinds = [kind for handler in handlers for kind in _kinds_of(handler)]
        parts = [part for kind in kinds for part in _alternatives(kind)]
        schemas, self.components = msgspec.json.schema_components(
            [_without_raw_defaults(part) for part in parts],
            schema_hook=_of_anything,
            ref_template=_PLACE,
        )
        self._schema_by_part = {
            str(part): schema for part, schema in zip(parts, schemas, strict=True)
        }

    def of(self, kind: Any) -> Document:
        """Find the schema of a type that one of the routes has."""
        found = [self._schema_by_part[str(part)] for part in _alternatives(kind)]
        return found[0] if len(found) == 1 else {"anyOf": found}


def taken_by(handler: HTTPRouteHandler) -> Any:
    """Tell the type of the body a route takes, or None."""
    field = handler.parsed_data_field
    return None if field is None else field.annotation


def given_by(handler: HTTPRouteHandler) -> Mapping[int, Any]:
    """Tell the types of the bodies a route answers with, by status, as far as it says."""
    said: dict[int, Any] = {}
    usual = handler.parsed_fn_signature.return_type.annotation
    if get_origin(usual) is Response:
        [usual] = get_args(usual)
    if _is_described(usual):
        said[handler.status_code] = usual
    for status, spec in (handler.responses or {}).items():
        if spec.data_container is not None:
            said[status] = spec.data_container
    return said


def _kinds_of(handler: HTTPRouteHandler) -> Iterator[Any]:
    if (body := taken_by(handler)) is not None:
        yield body
    yield from given_by(handler).values()


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """List the members of a union: msgspec describes no union that it could not read."""
    return get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)


def _is_described(kind: Any) -> bool:
    """Whether there is a type to describe, and not just bytes, nothing or anything."""
    if kind in {NoneType, None, bytes, str, Any}:
        return False
    if get_origin(kind) in {Union, UnionType}:
        return not any(get_origin(part) is Response for part in get_args(kind))
    return not (isinstance(kind, type) and issubclass(kind, (Response, ASGIResponse)))


def _of_anything(kind: type) -> Document:
    """Describe a field that takes any JSON."""
    if kind is object:
        return {}
    raise NotImplementedError


def _without_raw_defaults(kind: Any) -> Any:
    """Make a twin of a Struct with defaults of raw JSON, which msgspec cannot write down."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return kind
    fields = msgspec.structs.fields(kind)
    if not any(isinstance(field.default, msgspec.Raw) for field in fields):
        return kind
    return msgspec.defstruct(
        kind.__name__,
        [
            (field.encode_name, field.type)
            if field.required
            else (field.encode_name, field.type, _told(field))
            for field in fields
        ],
        kw_only=True,
        namespace={"__doc__": kind.__doc__},
    )


def _told(field: msgspec.structs.FieldInfo) -> Any:
    if isinstance(field.default, msgspec.Raw):
        return msgspec.field(default_factory=object)  # a default that is not told
    if field.default is msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return field.default
