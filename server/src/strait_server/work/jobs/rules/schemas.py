"""The shape a job asks of its payloads and results (behaviour 13.10).

Any JSON Schema is accepted (draft 2020-12 unless it names an older one), as
long as it stays inside itself and cannot be used to keep us busy:

- A reference is a pointer into the same schema, `#/$defs/name`. Nothing is
  ever fetched, neither from the network nor from a file.
- With its references written out a schema nests at most 32 deep and holds at
  most 2,000 schemas. So a schema that refers to itself is refused.
- Patterns are matched in linear time, hence without look-around.

Sentences about a document name the place and what is asked of it, never what
stands there: it may be a secret.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

import jsonschema_rs
import msgspec

from strait_server.base.errors import Invalid

MAX_NESTING: Final = 32
MAX_SCHEMAS: Final = 2000
MAX_PROBLEMS: Final = 20

_HERE: Final = "\N{OBJECT REPLACEMENT CHARACTER}"  # stands for the value in the validator's texts
_LONGEST_PROBLEM: Final = 300
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

_NAMED: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "dependencies"})
_LISTED: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
_SINGLE: Final = frozenset(
    {"items", "additionalItems", "additionalProperties", "contains", "propertyNames"}
    | {"not", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties"}
)
_LEADING_ELSEWHERE: Final = frozenset({"$dynamicRef", "$recursiveRef", "$id", "id"})


class Schema:
    """A schema that was understood, ready to be held against documents."""

    __slots__ = ("_validator",)

    def __init__(self, validator: jsonschema_rs.Validator) -> None:
        self._validator: Final = validator

    def problems(self, raw: bytes) -> list[str]:
        """Everything in which a JSON document misses the schema, up to 20 sentences.

        An empty list means that it fits. Integers of any size are compared exactly.
        """
        try:
            document: Any = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [f"$ is not valid JSON: {error}"]
        except RecursionError:
            return ["$ is nested too deep"]
        if self._validator.is_valid(document):
            return []
        found = self._validator.iter_errors(document)
        return [_sentence(error) for error in islice(found, MAX_PROBLEMS)]


def compile_schema(raw: bytes) -> Schema:
    """Understand a schema, or raise `Invalid` with what is wrong with it.

    Costs some tens of microseconds: keep what it answers as long as the job's version.
    """
    try:
        schema: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("schema is not valid JSON", problems=[str(error)]) from error
    if not isinstance(schema, dict):
        raise Invalid("schema must be an object")
    _check_extent(schema)
    try:
        return Schema(
            jsonschema_rs.validator_for(
                schema, mask=_HERE, offline=True, pattern_options=jsonschema_rs.RegexOptions()
            )
        )
    except jsonschema_rs.ValidationError as error:
        raise Invalid("schema is not valid", problems=[_sentence(error)]) from error
    except ValueError as error:  # the parser's own limits, on keywords it does not know
        raise Invalid("schema is not valid", problems=[str(error)]) from error


def _check_extent(root: dict[str, Any]) -> None:
    """Walk the schema level by level, each reference replaced with what it names."""
    level: list[Any] = [root]
    read = 0
    for _ in range(MAX_NESTING + 1):
        inner: list[Any] = []
        for schema in level:  # grows on the way: what a reference names is of the same level
            read += 1
            if read > MAX_SCHEMAS:
                raise Invalid(f"schema holds more than {MAX_SCHEMAS} schemas, or refers to itself")
            if isinstance(schema, dict):
                _check_stays_inside(schema, is_root=schema is root)
                if "$ref" in schema:
                    level.append(_named(root, schema["$ref"]))
                inner.extend(_inner(schema))
        if not inner:
            return
        level = inner
    raise Invalid(f"schema is nested deeper than {MAX_NESTING} levels, or refers to itself")


def _check_stays_inside(schema: dict[str, Any], *, is_root: bool) -> None:
    """Refuse what would resolve references from elsewhere than the root."""
    for keyword in _LEADING_ELSEWHERE.intersection(schema):
        if keyword == "$id" and is_root:
            continue
        raise Invalid(f"schema must not use {keyword}")


def _inner(schema: dict[str, Any]) -> Iterator[Any]:
    for keyword, value in schema.items():
        if keyword in _NAMED and isinstance(value, dict):
            yield from value.values()
        elif keyword in _LISTED and isinstance(value, list):
            yield from value
        elif keyword in _SINGLE:
            yield value


def _named(root: dict[str, Any], reference: object) -> Any:
    """Find what a reference names, or raise `Invalid` when it is not in this schema."""
    if reference == "#":
        return root
    if not isinstance(reference, str) or not reference.startswith("#/"):
        raise Invalid("$ref must be a pointer into the schema, like #/$defs/name")
    place: Any = root
    for name in reference[2:].split("/"):
        step = name.replace("~1", "/").replace("~0", "~")
        if isinstance(place, list) and step.isdecimal() and int(step) < len(place):
            place = place[int(step)]
        elif isinstance(place, dict) and step in place:
            place = place[step]
        else:
            raise Invalid(f"$ref leads nowhere: {reference}")
    return place


def _sentence(error: jsonschema_rs.ValidationError) -> str:
    where = _path(error.instance_path)
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Type(types):
            told = f"{where} must be {' or '.join(types)}"
        case jsonschema_rs.ValidationErrorKind.Required(name):
            told = f"{_path([*error.instance_path, name])} is required"
        case _:
            told = error.message.replace(_HERE, where)
            if _HERE not in error.message:
                told = f"{where}: {told}"
    return told[:_LONGEST_PROBLEM]


def _path(steps: Sequence[str | int]) -> str:
    return "$" + "".join(map(_step, steps))


def _step(step: str | int) -> str:
    if isinstance(step, str) and _PLAIN_NAME.fullmatch(step):
        return f".{step}"
    return f"[{msgspec.json.encode(step).decode()}]"
