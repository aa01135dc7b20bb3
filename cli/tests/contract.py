"""What the server understands: the routes, parameters and fields of `openapi.json` (trap C18).

The server ignores what it does not know, so a misspelt filter or a flag for a
field that is not there would go unnoticed.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from edge import Asked

_DOCUMENT: Final = json.loads((Path(__file__).parents[2] / "openapi.json").read_text())
# The client asks for pages wherever a list may have some; projects come at once.
_OF_EVERY_LIST: Final = frozenset({"limit", "cursor"})


def strays(asked: Iterable[Asked]) -> list[str]:
    """Say what of the requests the server would not understand."""
    return [f"{each.method} {each.path}: {stray}" for each in asked for stray in _strays(each)]


def fields(schema: str) -> frozenset[str]:
    return frozenset(_DOCUMENT["components"]["schemas"][schema]["properties"])


def _strays(asked: Asked) -> Iterator[str]:
    operation = _operation(asked)
    if operation is None:
        yield "no such route"
        return
    known = {parameter["name"] for parameter in operation.get("parameters", ())}
    yield from (f"parameter {name}" for name in asked.query.keys() - known - _OF_EVERY_LIST)
    if not asked.body:
        return
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    taken = fields(schema) if schema else frozenset()
    yield from (f"field {name}" for name in asked.body.keys() - taken)


def _operation(asked: Asked) -> dict[str, Any] | None:
    """Find the route; where several fit, the one with the most fixed words is meant."""
    method = asked.method.lower()
    fitting = [
        (path.count("{"), operations[method])
        for path, operations in _DOCUMENT["paths"].items()
        if method in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), asked.path)
    ]
    return min(fitting, key=lambda found: found[0])[1] if fitting else None
