"""Migration files: their names, their heads and their statements (style 5)."""

import pytest
from base.db.migrations.steps import a_file
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.db.migrations.errors import BadMigration
from strait_server.base.db.migrations.files import load_migrations, parse


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("1_step.sql", "", "is called like"),
        ("0001-step.sql", "", "is called like"),
        ("0001_step.sql", "create table a ();", "first line names the room"),
        ("0001_step.sql", "-- migrate:up\nselect 1;", "first line names the room"),
        ("0001_step.sql", "-- base: x\nselect 1;", "migrate:up"),
        ("0001_step.sql", "-- base: x\n-- migrate:up\nselect 1;\n-- migrate:down\n", "no way down"),
        ("0001_step.sql", "-- base: x\n-- migrate:up transaction:no\nselect 1;", "migrate:up"),
        ("0001_step.sql", "-- base: x\nselect 1;\n-- migrate:up\nselect 2;", "stand after"),
        ("0001_step.sql", "-- base: x\n-- migrate:up\n-- nothing\n", "stand after"),
        ("0001_step.sql", "-- base: x\n-- migrate:up\nselect 1;\nCommit;", "`Commit`"),
        (
            "0001_step.sql",
            "-- base: x\n-- migrate:up\ncreate function f() returns int begin atomic; end;",
            r"between \$\$ and \$\$",
        ),
    ],
)
def test_a_file_that_is_written_wrongly_is_refused(name, text, problem):
    with pytest.raises(BadMigration, match=problem):
        parse(name, text)


def test_files_are_read_from_a_package_in_the_order_of_their_numbers(tmp_path, monkeypatch):
    _write(tmp_path / "steps_in_order", "0002_b.sql", "0001_a.sql", "schema.sql")
    monkeypatch.syspath_prepend(tmp_path)

    assert [file.name for file in load_migrations("steps_in_order")] == ["0001_a", "0002_b"]


@pytest.mark.parametrize("names", [("0001_a.sql", "0003_c.sql"), ("0001_a.sql", "0001_b.sql")])
def test_a_number_that_is_missing_or_given_twice_is_refused(tmp_path, monkeypatch, names, request):
    package = f"steps_{request.node.callspec.indices['names']}"
    _write(tmp_path / package, *names)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(BadMigration, match="the number 0002 comes here"):
        load_migrations(package)


def test_line_endings_do_not_change_a_file():
    text = "-- base: x\n-- migrate:up\nselect 1;\n"

    assert parse("0001_a.sql", text) == parse("0001_a.sql", text.replace("\n", "\r\n"))


FRAGMENTS = [
    "select 1",
    "select ';', 'it''s; fine'",
    r"select E'a\';b'",
    'select 1 as "a;b"',
    "do $$ begin perform 1; end $$",
    "do $body$ begin perform '$$;'; end $body$",
    "select 1 -- why; because\n + 1",
    "select /* a; b */ 2",
    "select n$1, 2 from (values (1)) as t (n$1)",
]


@given(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=6))
def test_a_semicolon_ends_a_statement_only_where_it_stands_alone(fragments):
    file = a_file(1, ";\n-- between\n".join(fragments) + ";")

    assert [statement.text for statement in file.statements] == fragments
    assert all(
        file.source.startswith(statement.text, statement.offset) for statement in file.statements
    )


def _write(folder, *names):
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name in names:
        (folder / name).write_text("-- base: a test\n-- migrate:up\nselect 1;\n")
