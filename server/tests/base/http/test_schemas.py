"""Schemas of bodies: they promise what `bodies.decode` keeps (api 9.1)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from strait_server.base.http.pages import Page
from strait_server.base.http.schemas import Schemas, published


class Mood(StrEnum):
    """How it is."""

    GOOD = "good"
    BAD = "bad"


class Leaf(Struct, kw_only=True):
    size: Annotated[int, Meta(ge=1, le=9)]


class Tree(Struct, kw_only=True):
    """A tree (behaviour 4.6)."""

    id: UUID
    at: datetime
    mood: Mood = Mood.GOOD
    leaves: Annotated[tuple[Leaf, ...], Meta(max_length=3)] = ()
    parent: "Tree | None" = None
    kind: Literal["oak", "elm"] = "oak"
    tags: dict[Annotated[str, Meta(max_length=64)], str] = {}
    note: str | UnsetType = UNSET
    payload: msgspec.Raw = msgspec.Raw(b"{}")


def test_a_type_is_described_with_its_limits():
    schemas = Schemas()

    assert schemas.of(Tree) == {"$ref": "#/components/schemas/Tree"}
    assert schemas.components["Leaf"]["properties"]["size"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
    }
    tree = schemas.components["Tree"]
    assert tree["description"] == "A tree."
    assert tree["required"] == ["id", "at"]
    assert tree["properties"] == {
        "id": {"type": "string", "format": "uuid"},
        "at": {"type": "string", "format": "date-time"},
        "mood": {"$ref": "#/components/schemas/Mood"},
        "leaves": {"type": "array", "items": {"$ref": "#/components/schemas/Leaf"}, "maxItems": 3},
        "parent": {"anyOf": [{"$ref": "#/components/schemas/Tree"}, {"type": "null"}]},
        "kind": {"enum": ["elm", "oak"], "default": "oak"},
        "tags": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "propertyNames": {"type": "string", "maxLength": 64},
        },
        "note": {"type": "string"},
        "payload": {},
    }
    assert schemas.components["Mood"] == {"enum": ["good", "bad"], "description": "How it is."}


def test_a_page_is_called_after_what_it_shows():
    schemas = Schemas()

    assert schemas.of(Page[Leaf]) == {"$ref": "#/components/schemas/LeafPage"}


def test_an_answer_may_be_one_of_several_types():
    assert Schemas().of(Leaf | Tree) == {
        "anyOf": [{"$ref": "#/components/schemas/Leaf"}, {"$ref": "#/components/schemas/Tree"}]
    }


def test_two_types_of_one_name_are_refused():
    first = msgspec.defstruct("Same", [("a", int)])
    second = msgspec.defstruct("Same", [("b", int)])
    schemas = Schemas()
    schemas.of(first)

    with pytest.raises(TypeError, match="two types of the API are called Same"):
        schemas.of(second)


def test_what_only_we_can_look_up_is_not_published():
    assert published("Cancel a run (behaviour 1.5, T29). Or two (of them).") == (
        "Cancel a run. Or two (of them)."
    )
