"""What can be wrong with a body, made from what the document says is right."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from wire.scene import later

HUGE = 10**30
ODDITIES = {
    "null": [None],
    "boolean": [True],
    "integer": [7],
    "number": [7.5],
    "string": ["words"],
    "array": [[7]],
    "object": [{"a": 7}],
}
STRANGE_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\n",
    "\u202e\u200b",
    "😀" * 300,
    "x" * 100_000,
    "../../etc/passwd",
    "'; drop table runs; --",
    "http://[::1",
    "%00",
    "{}",
]
STRANGE_NUMBERS = [0, -1, -HUGE, HUGE, 2**31, 2**63, 2**64]
STRANGE_VALUES = [[], {}, [[]] * 3, {"": ""}, {"\0": "\0"}, {"a" * 5000: "b" * 5000}, HUGE, None]


class Field(NamedTuple):
    """A place in a body. `put` makes a body with a value there, `body` one without any.

    What else is required is there, as it should be.
    """

    path: str
    schema: dict
    required: bool
    put: Callable[[Any], Any]
    body: Any = None


class Nasty(NamedTuple):
    """A body, and the place in it that is wrong."""

    path: str
    body: Any


class Bodies:
    """The bodies of a document."""

    def __init__(self, document):
        self._components = document["components"]["schemas"]

    def fields(self, operation) -> list[Field]:
        """List every place in the body of an operation, however deep."""
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return list(self._within(schema, "", lambda value: value))

    def _within(self, schema, path, put) -> Iterator[Field]:
        for choice in self._choices(schema):
            inside = choice.get("properties", {})
            required = {name: self._example(inside[name]) for name in choice.get("required", ())}
            for name, inner in inside.items():
                place = f"{path}.{name}" if path else name
                others = {other: value for other, value in required.items() if other != name}

                def put_field(value, name=name, others=others):
                    return put({**others, name: value})

                yield Field(place, inner, name in required, put_field, put(others))
                yield from self._within(inner, place, put_field)
            if "items" in choice:
                place = f"{path}[0]"

                def put_item(value):
                    return put([value])

                yield Field(place, choice["items"], required=False, put=put_item)
                yield from self._within(choice["items"], place, put_item)

    def _example(self, schema) -> Any:
        """Make the simplest value that is right."""
        choice = next(self._choices(schema))
        if choice.get("format") == "date-time":
            return later(hours=1)
        return {"string": "xx", "integer": 1, "number": 1, "array": []}[choice["type"]]

    def _choices(self, schema) -> Iterator[dict]:
        if "$ref" in schema:
            schema = self._components[schema["$ref"].rpartition("/")[2]]
        for choice in schema.get("anyOf", [schema]):
            if choice is not schema:
                yield from self._choices(choice)
            else:
                yield choice

    def wrong(self, field: Field) -> Iterator[Nasty]:
        """Break every rule that the document knows for the field."""
        choices = list(self._choices(field.schema))
        for value in [*self._of_another_type(choices), *self._beyond(choices)]:
            yield Nasty(field.path, field.put(value))

    def missing(self, field: Field) -> Iterator[Nasty]:
        """Leave the field out, where it is required."""
        if field.required:
            yield Nasty(field.path, field.body)

    def strange(self, field: Field) -> Iterator[Nasty]:
        """Put in what may be right or wrong, and is no reason to fail."""
        kinds = {kind for choice in self._choices(field.schema) for kind in _kinds(choice)}
        values = [
            *(STRANGE_TEXTS if "string" in kinds else ()),
            *(STRANGE_NUMBERS if kinds & {"integer", "number"} else ()),
            *(STRANGE_VALUES if kinds & {"array", "object"} else ()),
        ]
        for value in values:
            yield Nasty(field.path, field.put(value))

    def _of_another_type(self, choices) -> Iterator[Any]:
        kinds = {kind for choice in choices for kind in _kinds(choice)}
        if "number" in kinds:
            kinds.add("integer")
        for kind, values in ODDITIES.items():
            if kind not in kinds:
                yield from values

    def _beyond(self, choices) -> Iterator[Any]:
        for choice in choices:
            yield from _texts_beyond(choice)
            if "minimum" in choice:
                yield from (choice["minimum"] - 1, -HUGE)
            if "maximum" in choice:
                yield from (choice["maximum"] + 1, HUGE)
            if "maxItems" in choice:
                yield ["x"] * (choice["maxItems"] + 1)
            if "maxProperties" in choice:
                yield {f"key {n}": "x" for n in range(choice["maxProperties"] + 1)}
            if "maxLength" in choice.get("propertyNames", {}):
                yield {"x" * (choice["propertyNames"]["maxLength"] + 1): "x"}
            if "minLength" in choice.get("propertyNames", {}):
                yield {"": "x"}
            inner = choice.get("additionalProperties", {})
            if inner.get("type") == "string":
                yield {"key": 7}
            if "maxLength" in inner:
                yield {"key": "x" * (inner["maxLength"] + 1)}


def _texts_beyond(choice) -> Iterator[str]:
    if "maxLength" in choice:
        yield "x" * (choice["maxLength"] + 1)
        yield "é" * (choice["maxLength"] + 1)
    if choice.get("minLength"):
        yield from ("", "\0")
    if "pattern" in choice:
        pattern = re.sub(r"\$$", r"\\Z", choice["pattern"])  # Python's `$` lets a last newline pass
        texts = ("no way", "A\n", "é", "a/b", "a..b")
        yield from (text for text in texts if not re.search(pattern, text))
    if "enum" in choice or "format" in choice:
        yield from {"nonsense", ""} - set(choice.get("enum", ()))
    if choice.get("format") == "date-time":
        yield from ("2027-02-30T00:00:00Z", "2027-01-01T00:00:00", "infinity")


def _kinds(choice) -> set[str]:
    if "enum" in choice:
        return {"string"}
    return {choice["type"]} if "type" in choice else set(ODDITIES)
