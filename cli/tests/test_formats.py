"""The formats of the output contract (cli 2, traps C6 and C24)."""

import csv
import io
import json

import pytest
import yaml
from edge import Says

from strait_cli.output.formats import without_zeros
from strait_cli.output.resources import RUN

RUNS = "/v1/runs"
ROWS = [
    {
        "id": "r1",
        "job_slug": "resize",
        "status": "completed",
        "attempt": 1,
        "debug_mode": False,
        "created_at": "2026-01-05T10:00:00Z",
        "tags": {"src": "upload"},
    },
    {"id": "r2", "job_id": "j2", "status": "failed", "attempt": 3, "error": "boom\nat line 2"},
]


@pytest.fixture
def runs(edge, strait):
    edge.on("GET", RUNS, Says(200, {"data": ROWS, "has_more": False}))

    def show(*flags):
        return strait("runs", "list", *flags)

    return show


def test_json_is_the_form_for_programs(runs):
    assert runs().json == ROWS


def test_jsonl_is_one_object_per_line(runs):
    assert [json.loads(line) for line in runs("-o", "jsonl").out.splitlines()] == ROWS


@pytest.mark.parametrize("chosen", ["jsonl", "compact"])
def test_a_format_of_lines_has_its_errors_on_a_line(edge, strait, chosen):
    edge.on("GET", RUNS, Says(400, {"error": "no"}))

    ended = strait("runs", "list", "-o", chosen)

    assert ended.code == 7
    assert [json.loads(line)["error"] for line in ended.out.splitlines()] == ["no"]


def test_an_error_of_the_settings_keeps_to_the_chosen_format(home, tmp_path, strait):
    (tmp_path / "work" / ".strait.yaml").write_text("a: [")

    ended = strait("runs", "list", "-o", "table")

    assert (ended.code, ended.out) == (3, "")
    assert "cannot read .strait.yaml" in ended.err


def test_compact_is_one_line_without_zeros(runs):
    out = runs("-o", "compact").out

    assert len(out.splitlines()) == 1
    assert "debug_mode" not in json.loads(out)[0]


def test_compact_looks_inside():
    assert without_zeros({"a": {"b": 0}, "c": [{"d": ""}, 0], "e": 1}) == {"c": [{}, 0], "e": 1}


def test_yaml_keeps_order_and_values(runs):
    assert yaml.safe_load(runs("-o", "yaml").out) == ROWS


def test_csv_has_the_union_of_the_keys(runs):
    rows = list(csv.DictReader(io.StringIO(runs("-o", "csv").out)))

    assert rows[0]["tags"] == '{"src":"upload"}'
    assert rows[0]["debug_mode"] == "false"
    assert rows[1]["error"] == "boom\nat line 2"


def test_csv_without_headers_starts_with_data(runs):
    assert runs("-o", "csv", "--no-headers").out.startswith("r1,resize,")


def test_a_table_shows_the_curated_columns(runs):
    heading, first, second = runs("-o", "table").out.splitlines()

    assert heading.split() == [column.title for column in RUN.columns]
    assert first.split()[:3] == ["r1", "resize", "completed"]
    assert " d ago" in first
    assert second.rstrip().endswith("boom at line 2")


def test_a_table_in_a_pipe_has_no_colour_and_is_never_cut(edge, strait):
    edge.on(
        "GET", RUNS, Says(200, {"data": [{"id": "r1", "status": "failed", "error": "x" * 500}]})
    )

    out = strait("runs", "list", "-o", "table").out

    assert "\x1b" not in out
    assert "x" * 500 in out


def test_wide_adds_the_other_keys(runs):
    heading = runs("-o", "wide").out.splitlines()[0]

    assert "DEBUG MODE" in heading
    assert "TAGS" in heading


def test_a_table_without_headers_is_rows_only(runs):
    assert runs("-o", "table", "--no-headers").out.startswith("r1")


@pytest.mark.parametrize("form", ["json", "table", "csv"])
def test_quiet_is_ids_and_nothing_else(runs, form):
    ended = runs("-q", "-o", form)

    assert ended.out == "r1\nr2\n"
    assert ended.err == ""


def test_quiet_prints_nothing_for_things_without_ids(edge, strait):
    edge.on("GET", "/v1/stats", Says(200, {"queued": 1, "executing": 2, "delayed": 3}))

    assert strait("stats", "-q") == (0, "", "")


def test_a_single_thing_is_shown_field_by_field(edge, strait):
    edge.on("GET", "/v1/runs/r1", Says(200, ROWS[0] | {"result": {"ok": True}, "error": ""}))

    lines = strait("runs", "get", "r1", "-o", "table").out.splitlines()

    cells = dict(line.split(maxsplit=1) for line in lines)
    assert cells["status"].strip() == "completed"
    assert cells["result"].strip() == '{"ok":true}'
    assert cells["created_at"].startswith("2026-01-05T10:00:00Z (")
    assert "error" not in cells


@pytest.mark.parametrize("place", [("-o", "yaml", "stats"), ("stats", "-o", "yaml")])
def test_a_global_option_may_stand_anywhere(edge, strait, place):
    edge.on("GET", "/v1/stats", Says(200, {"queued": 1}))

    assert strait(*place).out == "queued: 1\n"


def test_the_option_nearest_to_the_command_counts(edge, strait):
    edge.on("GET", "/v1/stats", Says(200, {"queued": 1}))

    assert strait("-o", "json", "stats", "-o", "yaml").out == "queued: 1\n"


def test_a_cut_list_is_said_on_standard_error(edge, strait):
    more = {"data": ROWS, "has_more": True, "next_cursor": "c"}
    edge.on("GET", RUNS, Says(200, more))

    ended = strait("runs", "list", "--limit", "2")

    assert len(ended.json) == 2
    assert "there are more" in ended.err
