"""Bodies of requests (api 1.2, 3.3; T118d)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta, Struct

from strait_server.base.errors import Invalid, TooLarge
from strait_server.base.http.bodies import check_size, decode


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Item(Struct, frozen=True, kw_only=True):
    count: Annotated[int, Meta(ge=1)]


class Thing(Struct, frozen=True, kw_only=True):
    name: Annotated[str, Meta(min_length=2, max_length=5)]
    slug: str
    size: Annotated[int, Meta(ge=0, le=100)] = 0
    ratio: Annotated[float, Meta(gt=0)] = 1.0
    step: Annotated[int, Meta(multiple_of=5)] = 5
    key: Annotated[str, Meta(pattern="^[a-z]+$")] = "a"
    color: Color | None = None
    mode: Literal["x", "y"] = "x"
    owner: UUID | None = None
    at: Annotated[datetime, Meta(tz=True)] | None = None
    tags: dict[str, Annotated[str, Meta(max_length=3)]] = {}
    items: list[Item] = []
    payload: msgspec.Raw = msgspec.Raw(b"")


class Nothing(Struct, frozen=True, kw_only=True):
    reason: str = "none given"


def thing(**fields):
    return msgspec.json.encode({"name": "abc", "slug": "s", **fields})


def refusal(body, kind=Thing):
    with pytest.raises(Invalid) as caught:
        decode(body, kind)
    return caught.value


def test_no_body_at_all_is_an_empty_object():
    assert decode(b"", Nothing) == Nothing()


def test_unknown_fields_are_ignored():
    assert decode(b'{"reason":"r","idempotency_key":"k"}', Nothing) == Nothing(reason="r")


def test_raw_json_is_kept_to_the_letter():
    """T95."""
    body = b'{"name":"abc","slug":"s","payload":{"b":1e400, "a":9007199254740993}}'

    assert bytes(decode(body, Thing).payload) == b'{"b":1e400, "a":9007199254740993}'


def test_nul_characters_are_taken_out_everywhere():
    body = b'{"name":"a\\u0000bc","slug":"s","tags":{"k\\u0000":"v"},\0"payload":["\\u0000x"]}'

    read = decode(body, Thing)

    assert read.name == "abc"
    assert read.tags == {"k": "v"}
    assert bytes(read.payload) == b'["x"]'


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "ends too early"),
        (b'{"name":"abc"}}', "trailing"),
        (b"\xff", "malformed"),
        (b'{"name":"a\xff"}', "UTF-8"),
        (b'{"name":"\\ud800"}', "half a character"),
        (b'{"payload":' + b"[" * 600 + b"]" * 600 + b"}", "nested"),
        (b'{"payload":' + b"[" * 100_000, "nested"),
        (b'{"name":"abc","name":"abd"}', "twice"),
        (b'{"payload":{"a":1,"a":2}}', "twice"),
        (b'{"payload":' + b"9" * 5000 + b"}", "out of range"),
    ],
    ids=range(10),
)
def test_what_nobody_could_read_later_is_refused(body, reason):
    error = refusal(body)

    assert error.message.startswith("invalid request body: ")
    assert reason in error.message


def test_every_missing_field_is_named():
    error = refusal(b"{}")

    assert error.message == "validation failed"
    assert error.problems == ("name: failed on 'required'", "slug: failed on 'required'")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "a"}, "name: failed on 'min=2'"),
        ({"name": "abcdef"}, "name: failed on 'max=5'"),
        ({"size": -1}, "size: failed on 'min=0'"),
        ({"size": 101}, "size: failed on 'max=100'"),
        ({"size": 10**30}, "size: failed on 'max=100'"),
        ({"ratio": 0}, "ratio: failed on 'gt=0'"),
        ({"step": 3}, "step: failed on 'multiple_of=5'"),
        ({"key": "A"}, "key: failed on 'pattern=^[a-z]+$'"),
        ({"color": "green"}, "color: failed on 'oneof=red blue'"),
        ({"mode": "z"}, "mode: failed on 'oneof=x y'"),
        ({"owner": "me"}, "owner: failed on 'uuid'"),
        ({"at": "today"}, "at: failed on 'datetime'"),
        ({"at": "2026-01-01T00:00:00"}, "at: failed on 'timezone'"),
        ({"tags": {"k": "long"}}, "tags[...]: failed on 'max=3'"),
        ({"items": [{"count": 1}, {"count": 0}]}, "items[1].count: failed on 'min=1'"),
        ({"items": [{}]}, "items[0].count: failed on 'required'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_rule_is_named_with_its_place_and_limit(fields, problem):
    error = refusal(thing(**fields))

    assert error.message == "validation failed"
    assert error.problems == (problem,)


def test_a_value_of_the_wrong_type_makes_the_body_invalid():
    error = refusal(thing(size="many"))

    assert error.message == "invalid request body: size: must be int, not str"
    assert error.problems == ("size: must be int, not str",)


def test_all_mistakes_are_told_at_once():
    error = refusal(b'{"name":"a","size":"many","mode":"z"}')

    assert error.problems == (
        "name: failed on 'min=2'",
        "slug: failed on 'required'",
        "size: must be int, not str",
        "mode: failed on 'oneof=x y'",
    )


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"'])
def test_a_body_is_an_object(body):
    assert refusal(body).message.startswith("invalid request body: body: must be object, not ")


def test_a_body_over_the_limit_is_too_large():
    check_size(10, 10)

    with pytest.raises(TooLarge, match="at most 10 bytes"):
        check_size(11, 10)
