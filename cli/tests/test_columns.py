"""How cells are worded, and which columns a terminal has room for (cli 2)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_cli.output.columns import Kind, cell, column, fitting, worded

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
COLUMNS = [column("ID"), column("STATUS"), column("ERROR", kind=Kind.LONG), column("ATTEMPT")]
ROWS = [{"id": "x" * 36, "status": "completed", "error": "e" * 80, "attempt": 1}]


def titles(width):
    return [each.title for each, _ in fitting(COLUMNS, ROWS, width=width, now=NOW)]


def test_columns_leave_from_the_right():
    assert titles(80) == ["ID", "STATUS", "ERROR", "ATTEMPT"]
    assert titles(70) == ["ID", "STATUS", "ERROR"]
    assert titles(50) == ["ID", "STATUS"]


def test_the_first_column_always_stays():
    assert titles(10) == ["ID"]


@given(st.integers(0, 200))
def test_what_was_chosen_fits(width):
    chosen = fitting(COLUMNS, ROWS, width=width, now=NOW)

    needed = sum(taken for _, taken in chosen) + 2 * (len(chosen) - 1)
    assert needed <= width or len(chosen) == 1


def test_the_room_that_is_left_goes_to_the_long_ones():
    assert dict(fitting(COLUMNS, ROWS, width=100, now=NOW))[COLUMNS[2]] == 100 - 36 - 9 - 7 - 3 * 2
    assert dict(fitting(COLUMNS, ROWS, width=500, now=NOW))[COLUMNS[2]] == 80


def test_a_table_without_rows_has_its_headings():
    assert [taken for _, taken in fitting(COLUMNS, [], width=80, now=NOW)] == [2, 6, 5, 7]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ("a\nb", "a b"),
        (["a", "b"], "a, b"),
        ({"a": 1}, '{"a":1}'),
    ],
)
def test_every_value_is_worded_on_one_line(value, words):
    assert worded(value) == words


def test_the_first_key_with_a_value_gives_the_cell():
    job = column("JOB", "job_slug", "job_id")

    assert cell({"job_slug": "", "job_id": "j1"}, job, now=NOW) == "j1"


def test_a_time_that_is_none_is_shown_as_it_is():
    assert cell({"at": "soon"}, column("AT", "at", kind=Kind.TIME), now=NOW) == "soon"
