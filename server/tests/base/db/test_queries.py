"""Named statements and their parameters (style 5)."""

import sys

import pytest

from strait_server.base.db.queries import Query, load_queries


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load a file of statements as that of a store."""
    room = tmp_path / "a_room"
    (room / "queries").mkdir(parents=True)
    (room / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    def load(source, *, store="a_room.store", file="queries.sql"):
        (room / file).write_text(source)
        return load_queries(store)

    yield load
    sys.modules.pop("a_room", None)


def test_each_statement_has_a_name(load):
    queries = load("-- An essay.\n\n-- name: one\nselect 1;\n\n-- name: two\n-- Why.\nselect 2;\n")

    assert list(queries) == ["one", "two"]
    assert queries["one"].text == "select 1"
    assert queries["two"].text == "-- Why.\nselect 2"


def test_a_store_that_is_a_folder_has_a_folder_of_statements(load):
    queries = load(
        "-- name: claim\nselect 1;", store="a_room.store.claim", file="queries/claim.sql"
    )

    assert list(queries) == ["claim"]


def test_parameters_are_numbered_in_the_order_of_their_first_use(load):
    query = load("-- name: find\nselect :b, :a where :a = :b::text;")["find"]

    assert query.text == "select $1, $2 where $2 = $1::text"
    assert query.params == ("b", "a")
    assert query.arguments({"a": 1, "b": 2}) == [2, 1]


@pytest.mark.parametrize(
    "text",
    [
        "select ':a'",
        "select 'it''s :a'",
        'select ":a"',
        "select 1 -- :a",
        "select now()::date",
        "select '{}'::jsonb -> 'a'",
        "select '12:30'::time",
    ],
)
def test_what_is_quoted_commented_or_cast_is_no_parameter(load, text):
    query = load(f"-- name: find\n{text};")["find"]

    assert (query.text, query.params) == (text, ())


def test_a_statement_takes_what_it_names_and_nothing_else(load):
    query = load("-- name: find\nselect :a, :b;")["find"]

    for values in ({}, {"a": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 3}):
        with pytest.raises(TypeError, match=r"find takes \('a', 'b'\)"):
            query.arguments(values)


def test_a_literal_makes_a_statement_per_value(load):
    queries = load(
        "-- name: claim\n-- literal: batch = 10 250\nselect :a limit :batch;\n"
        "-- name: other\nselect :batches;"
    )

    assert list(queries) == ["claim_10", "claim_250", "other"]
    assert queries["claim_250"].text.endswith("select $1 limit 250")
    assert queries["claim_250"].params == ("a",)
    assert queries["other"].params == ("batches",)


def test_statements_share_a_part(load):
    queries = load(
        "-- name: one\nselect :a\n-- use: ending\n\n"
        "-- part: ending\nlimit :batch;\n\n"
        "-- name: two\nselect :b, :batch\n-- use: ending\n"
    )

    assert {name: (query.text, query.params) for name, query in queries.items()} == {
        "one": ("select $1\nlimit $2", ("a", "batch")),
        "two": ("select $1, $2\nlimit $2", ("b", "batch")),
    }


def test_a_part_that_is_not_there_is_named(load):
    with pytest.raises(KeyError, match="ending"):
        load("-- name: one\nselect 1\n-- use: ending\n")


def test_a_name_stands_for_one_statement(load):
    with pytest.raises(ValueError, match="one"):
        load("-- name: one\nselect 1;\n-- name: one\nselect 2;")


def test_the_statements_cannot_be_changed(load):
    queries = load("-- name: one\nselect 1;")

    with pytest.raises(TypeError):
        queries["two"] = Query("two", "select 2", ())
