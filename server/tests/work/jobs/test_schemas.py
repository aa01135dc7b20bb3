"""The shape a job asks of its payloads and results (behaviour 13.10)."""

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.errors import Invalid
from strait_server.work.jobs.rules.schemas import MAX_PROBLEMS, compile_schema

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e300, 1e300) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


def problems(schema, document):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return compile_schema(json.dumps(schema).encode()).problems(raw)


def refusal(schema):
    raw = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    with pytest.raises(Invalid) as refused:
        compile_schema(raw)
    return " ".join([refused.value.message, *refused.value.problems])


def nested(levels, *, keyword):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {keyword: schema}
    return schema


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("object", {}),
        ("array", []),
        ("string", ""),
        ("number", 1.5),
        ("number", 1),
        ("integer", 1),
        ("integer", -(10**40)),
        ("boolean", True),
        ("null", None),
    ],
)
def test_a_document_of_the_type_has_no_problems(kind, document):
    assert problems({"type": kind}, document) == []


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("object", []),
        ("array", {}),
        ("string", 1),
        ("number", "1"),
        ("integer", 1.5),
        ("integer", True),
        ("number", False),
        ("boolean", 0),
        ("null", 0),
    ],
)
def test_a_document_of_another_type_is_told_what_it_must_be(kind, document):
    """A boolean is no integer."""
    assert problems({"type": kind}, document) == [f"$ must be {kind}"]


def test_a_problem_names_its_place():
    schema = {
        "type": "object",
        "required": ["id", "lines"],
        "properties": {
            "id": {"type": "string"},
            "lines": {
                "type": "array",
                "items": {"required": ["sku"], "properties": {"count": {"type": "integer"}}},
            },
            "odd key": {"type": "null"},
        },
    }

    found = problems(schema, {"lines": [{"sku": 1}, {"count": True}], "odd key": 0})

    assert set(found) == {
        "$.id is required",
        "$.lines[1].sku is required",
        "$.lines[1].count must be integer",
        '$["odd key"] must be null',
    }


def test_one_of_several_types_is_enough():
    schema = {"type": ["object", "null"]}

    assert problems(schema, None) == []
    assert problems(schema, 1) == ["$ must be null or object"]


@pytest.mark.parametrize(
    ("schema", "document", "problem"),
    [
        ({"minimum": 5}, 4, "$ is less than the minimum of 5"),
        ({"maxLength": 2}, "abc", "$ is longer than 2 characters"),
        ({"enum": ["a", "b"]}, "c", '$ is not one of "a" or "b"'),
        ({"pattern": "^a"}, "b", '$ does not match "^a"'),
        ({"properties": {"a": False}}, {"a": 1}, "False schema does not allow $.a"),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            {"b": 1},
            "$: Additional properties are not allowed ('b' was unexpected)",
        ),
    ],
)
def test_the_rest_of_json_schema_holds_too(schema, document, problem):
    assert problems(schema, document) == [problem]


@given(documents)
def test_a_problem_never_shows_what_stands_there(document):
    """It may be a secret."""
    schema = {"properties": {"a": {"enum": [0]}, "b": {"pattern": "^x"}, "c": {"not": {}}}}
    secret = {name: ["HUSH", document] for name in "ac"} | {"b": "HUSH"}

    assert "HUSH" not in " ".join(problems(schema, secret))


def test_integers_are_compared_exactly():
    large = 10**40

    assert problems({"minimum": large}, large) == []
    assert problems({"minimum": large}, large - 1) != []
    assert problems({"const": large}, large + 1) != []


@pytest.mark.parametrize("raw", [b"", b"{", b"nul", b'"\xff"', rb'"\ud800"', b"1" * 5000])
def test_a_document_that_is_not_json_has_that_problem(raw):
    [problem] = problems({}, raw)

    assert problem.startswith("$ is not valid JSON")


def test_a_document_nested_without_end_has_that_problem():
    assert problems({}, b"[" * 100_000 + b"]" * 100_000) == ["$ is nested too deep"]


def test_problems_are_counted_only_so_far():
    found = problems({"items": {"type": "string"}}, [0] * 1000)

    assert len(found) == MAX_PROBLEMS


@given(documents)
def test_the_empty_schema_takes_everything(document):
    assert problems({}, document) == []


@given(documents)
def test_whatever_is_written_as_a_schema_is_understood_or_refused(document):
    with suppress(Invalid):
        compile_schema(json.dumps(document).encode()).problems(b"{}")


@pytest.mark.parametrize("raw", [b"", b"{", b"null", b"[]", b"true", b'"object"'])
def test_a_schema_is_an_object(raw):
    assert refusal(raw).startswith(("schema must be an object", "schema is not valid JSON"))


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"type": "wat"}, "$.type"),
        ({"required": "a"}, "$.required"),
        ({"properties": {"a": {"minimum": "1"}}}, "$.properties.a.minimum"),
        ({"properties": {"a": {"pattern": "("}}}, "$.properties.a.pattern"),
    ],
)
def test_a_wrong_schema_is_refused_with_the_place(schema, place):
    assert place in refusal(schema)


def test_an_older_draft_is_taken_by_its_name():
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 5}

    assert problems(schema | {"exclusiveMinimum": True}, 5) != []
    assert "exclusiveMinimum" in refusal({"minimum": 5, "exclusiveMinimum": True})


def test_a_dialect_nobody_knows_is_refused():
    assert "meta-schema" in refusal({"$schema": "https://example.com/mine"})


@pytest.mark.parametrize("keyword", ["items", "additionalProperties", "not"])
def test_a_schema_may_nest_32_deep(keyword):
    compile_schema(json.dumps(nested(32, keyword=keyword)).encode())

    assert "deeper than 32" in refusal(nested(33, keyword=keyword))


def test_a_local_reference_is_followed():
    schema = {
        "$defs": {"a/b": {"$ref": "#/$defs/n"}, "n": {"type": "integer"}},
        "items": {"$ref": "#/$defs/a~1b"},
    }

    assert problems(schema, [1, "x"]) == ["$[1] must be integer"]


@pytest.mark.parametrize(
    "reference",
    [
        "file:///etc/passwd",
        "http://127.0.0.1:9/schema",
        "https://json-schema.org/draft/2020-12/schema",
        "other.json",
        "#anchor",
        "",
        7,
    ],
)
def test_a_schema_is_never_fetched(reference):
    assert "$ref must be a pointer into the schema" in refusal({"items": {"$ref": reference}})


def test_not_even_a_definition_that_nobody_uses_is_fetched(tmp_path):
    elsewhere = tmp_path / "schema.json"
    elsewhere.write_text("{}")

    assert "disabled" in refusal({"$defs": {"a": {"$ref": elsewhere.as_uri()}}})


@pytest.mark.parametrize("reference", ["#/$defs/none", "#/$defs/a/type/0", "#/allOf/7"])
def test_a_reference_that_leads_nowhere_is_refused(reference):
    schema = {"$defs": {"a": {"type": "null"}}, "allOf": [{}], "items": {"$ref": reference}}

    assert "leads nowhere" in refusal(schema)


@pytest.mark.parametrize("keyword", ["$id", "id", "$dynamicRef", "$recursiveRef"])
def test_nothing_moves_the_starting_point_of_references(keyword):
    assert refusal({"items": {keyword: "x"}}) == f"schema must not use {keyword}"


def test_a_property_may_have_any_name():
    assert problems({"$id": "x:y", "properties": {"$id": {}, "id": {"type": "null"}}}, {}) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"items": {"$ref": "#"}},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
    ],
)
def test_a_schema_that_refers_to_itself_is_refused(schema):
    assert "refers to itself" in refusal(schema)


def test_references_cannot_be_piled_up_to_keep_us_busy():
    """Each level doubles the work of the one above: 2 ** 30 schemas in 2 kB."""
    levels = {f"n{i}": {"allOf": [{"$ref": f"#/$defs/n{i + 1}"}] * 2} for i in range(30)}

    assert "2000 schemas" in refusal({"$defs": {**levels, "n30": {}}, "$ref": "#/$defs/n0"})


def test_a_pattern_cannot_be_written_to_keep_us_busy():
    started = time.process_time()

    assert problems({"pattern": "^(a|a?)+$"}, "a" * 100_000 + "b") != []
    assert time.process_time() - started < 1
    assert "regex" in refusal({"pattern": "^(?=a)"})
