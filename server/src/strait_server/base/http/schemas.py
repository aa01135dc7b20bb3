"""What bodies look like, as JSON Schema, from the types that read and write them.

The limits stand in the types, and msgspec tells them; so the document cannot
promise what the server refuses.
"""

import inspect
import re
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from msgspec import inspect as mi

Document = dict[str, Any]

_PLACE: Final = "#/components/schemas/"
_CITATION: Final = re.compile(r" ?\((?:(?:api|behaviour|design) [0-9]|T[0-9])[^)]*\)")
_PLAIN: Final[Mapping[type[mi.Type], Document]] = {
    mi.AnyType: {},
    mi.RawType: {},
    mi.CustomType: {},
    mi.NoneType: {"type": "null"},
    mi.BoolType: {"type": "boolean"},
    mi.IntType: {"type": "integer"},
    mi.FloatType: {"type": "number"},
    mi.StrType: {"type": "string"},
    mi.DateTimeType: {"type": "string", "format": "date-time"},
    mi.DateType: {"type": "string", "format": "date"},
    mi.UUIDType: {"type": "string", "format": "uuid"},
}
_NUMBER_LIMITS: Final = (
    ("ge", "minimum"),
    ("le", "maximum"),
    ("gt", "exclusiveMinimum"),
    ("lt", "exclusiveMaximum"),
    ("multiple_of", "multipleOf"),
)
_TEXT_LIMITS: Final = (
    ("min_length", "minLength"),
    ("max_length", "maxLength"),
    ("pattern", "pattern"),
)
_LIST_LIMITS: Final = (("min_length", "minItems"), ("max_length", "maxItems"))
_MAP_LIMITS: Final = (("min_length", "minProperties"), ("max_length", "maxProperties"))


class Schemas:
    """Schemas of types. Structs and enumerations become `components`, under their names."""

    def __init__(self) -> None:
        self.components: dict[str, Document] = {}
        self._kind_by_name: dict[str, Any] = {}

    def of(self, kind: Any) -> Document:
        """Describe a type. Unions may be of any types, also of such that cannot be read back."""
        if get_origin(kind) in {Union, UnionType}:
            return self._union(mi.type_info(part) for part in get_args(kind))
        return self._describe(mi.type_info(kind))

    def _describe(self, info: mi.Type) -> Document:  # noqa: PLR0911 - one per kind of type
        match info:
            case mi.Metadata():
                return {**self._describe(info.type), **(info.extra_json_schema or {})}
            case mi.UnionType():
                return self._union(info.types)
            case mi.LiteralType():
                return {"enum": sorted(info.values, key=str)}
            case mi.EnumType() | mi.StructType():
                return {"$ref": _PLACE + self._component(info)}
            case mi.DictType():
                keys = self._describe(info.key_type)
                limits = _limits(info, _MAP_LIMITS) | (
                    {"propertyNames": keys} if len(keys) > 1 else {}
                )
                values = self._describe(info.value_type)
                return {"type": "object", "additionalProperties": values, **limits}
            case mi.CollectionType():
                items = self._describe(info.item_type)
                return {"type": "array", "items": items, **_limits(info, _LIST_LIMITS)}
            case mi.IntType() | mi.FloatType():
                return _PLAIN[type(info)] | _limits(info, _NUMBER_LIMITS)
            case mi.StrType():
                return _PLAIN[type(info)] | _limits(info, _TEXT_LIMITS)
            case _:
                return dict(_PLAIN[type(info)])

    def _union(self, parts: Iterable[mi.Type]) -> Document:
        schemas = [self._describe(part) for part in parts]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _component(self, info: mi.EnumType | mi.StructType) -> str:
        kind: Any = info.cls
        name = _name(kind)
        if name not in self.components:
            self._kind_by_name[name] = kind
            self.components[name] = {}  # a type may contain itself
            self.components[name] = (
                {"enum": [member.value for member in info.cls], **_words(kind)}
                if isinstance(info, mi.EnumType)
                else self._struct(info)
            )
        if self._kind_by_name[name] != kind:
            raise TypeError(f"two types of the API are called {name}")
        return name

    def _struct(self, info: mi.StructType) -> Document:
        required = [field.encode_name for field in info.fields if field.required]
        return {
            "type": "object",
            **_words(info.cls),
            "properties": {field.encode_name: self._field(field) for field in info.fields},
            **({"required": required} if required else {}),
        }

    def _field(self, field: mi.Field) -> Document:
        schema = self._describe(field.type)
        if isinstance(field.default, (bool, int, float, str)) and "$ref" not in schema:
            return {**schema, "default": field.default}
        return schema


def published(text: str) -> str:
    """Take out of a docstring what only we can look up."""
    return _CITATION.sub("", text)


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


def _is_described(kind: Any) -> bool:
    """Whether there is a type to describe, and not just bytes, nothing or anything."""
    if kind in {NoneType, None, bytes, str, Any}:
        return False
    if get_origin(kind) in {Union, UnionType}:
        return not any(get_origin(part) is Response for part in get_args(kind))
    return not (isinstance(kind, type) and issubclass(kind, (Response, ASGIResponse)))


def _limits(info: mi.Type, names: Iterable[tuple[str, str]]) -> Document:
    limits = ((there, getattr(info, here)) for here, there in names)
    return {name: limit for name, limit in limits if limit is not None}


def _name(kind: Any) -> str:
    """`Page[APIKey]` is called `APIKeyPage`."""
    arguments = "".join(_name(argument) for argument in get_args(kind))
    plain: type = get_origin(kind) or kind
    return arguments + plain.__name__


def _words(kind: Any) -> Document:
    text = published(inspect.getdoc(get_origin(kind) or kind) or "")
    return {"description": text} if text else {}
