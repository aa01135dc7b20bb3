"""`strait jobs` (cli 9; api 9.3; traps C15, C16, C19)."""

import json

import contract
import pytest
from edge import Says

from strait_cli.options import global_options
from strait_cli.tree import leaves


def test_jobs_create_sends_the_flags_under_their_api_names(edge, strait):
    edge.on("POST", "/v1/jobs", Says(201, {"id": "j1", "slug": "resize-images"}))

    ended = strait(
        *("jobs", "create", "--name", "Resize images", "--endpoint", "https://svc.example/r"),
        *("--max-attempts", "5", "--retry-strategy", "custom", "--retry-delay-secs", "1"),
        *("--retry-delay-secs", "5", "--tag", "team=media", "--max-concurrency-per-key", "2"),
    )

    assert ended.code == 0
    assert edge.asked[-1].body == {
        "name": "Resize images",
        "slug": "resize-images",
        "endpoint_url": "https://svc.example/r",
        "max_attempts": 5,
        "retry_strategy": "custom",
        "retry_delays_secs": [1, 5],
        "tags": {"team": "media"},
        "max_concurrency_per_key": 2,
    }


def test_jobs_create_makes_an_idempotency_key_of_its_own(edge, strait):
    edge.on("POST", "/v1/jobs", Says(201, {"id": "j1"}))

    strait("jobs", "create", "--name", "a")
    strait("jobs", "create", "--name", "a")

    first, second = (asked.headers["idempotency-key"] for asked in edge.asked)
    assert first != second


def test_jobs_create_takes_the_whole_body_from_standard_input(edge, strait):
    edge.on("POST", "/v1/jobs", Says(201, {"id": "j1"}))

    strait(
        *("--project", "proj_1", "jobs", "create", "--json", "-", "--slug", "b"),
        stdin='{"name": "A", "slug": "a", "payload_schema": {"type": "object"}}',
    )

    assert edge.asked[-1].body == {
        "name": "A",
        "slug": "b",
        "payload_schema": {"type": "object"},
        "project_id": "proj_1",
    }


def test_jobs_create_without_a_name_names_the_flag(edge, strait):
    ended = strait("jobs", "create", "--endpoint", "https://svc.example")

    assert ended.code == 3
    assert "--name" in ended.json["error"]
    assert edge.asked == []


def test_jobs_list_filters_by_tag(edge, strait):
    edge.on("GET", "/v1/jobs", Says(200, {"data": [{"id": "j1"}]}))

    strait("jobs", "list", "--tag", "team=media")

    assert edge.asked[0].query == {
        "limit": ["100"],
        "tag_key": ["team"],
        "tag_value": ["media"],
    }


def test_jobs_update_reads_values_as_json_and_texts_as_text(edge, strait):
    """Traps C15 and C16."""
    edge.on("PATCH", "/v1/jobs/resize", Says(200, {"id": "j1"}))

    strait(
        *("jobs", "update", "resize", "--field", "timeout_secs=120", "--field", "enabled=false"),
        *("--field", "name=123", "--field", "endpoint_url=https://x?a=b", "--stdin"),
        stdin='{"tags": {"team": "media"}, "retry_delays_secs": [1, 2]}',
    )

    assert edge.asked[-1].body == {
        "timeout_secs": 120,
        "enabled": False,
        "name": "123",
        "endpoint_url": "https://x?a=b",
        "tags": {"team": "media"},
        "retry_delays_secs": [1, 2],
    }


@pytest.mark.parametrize("args", [(), ("--field", "nonsense")])
def test_jobs_update_refuses_what_changes_nothing(edge, strait, args):
    assert strait("jobs", "update", "resize", *args).code == 3


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_jobs_pause_and_resume_use_their_own_routes(edge, strait, verb):
    """Trap C19."""
    edge.on("POST", f"/v1/jobs/resize/{verb}", Says(200, {"id": "j1", "paused": True}))

    assert strait("jobs", verb, "resize", "--yes").code == 0


@pytest.mark.parametrize(
    "args",
    [
        ("jobs", "delete", "resize"),
        ("jobs", "pause", "resize"),
        ("keys", "revoke", "k1"),
        ("secrets", "delete", "s1"),
        ("runs", "cancel", "r1", "r2"),
    ],
)
def test_a_destructive_command_names_the_flag_when_nobody_can_answer(edge, strait, args):
    ended = strait(*args)

    assert ended.code == 3
    assert "--yes" in ended.json["error"]
    assert edge.asked == []


def test_jobs_delete_prints_no_data(edge, strait):
    edge.on("DELETE", "/v1/jobs/resize", Says(204))

    ended = strait("jobs", "delete", "resize", "--yes")

    assert (ended.code, ended.out) == (0, "")
    assert "deleted" in ended.err


def test_jobs_create_has_no_flag_that_the_server_would_ignore():
    """Trap C18."""
    [create] = [command for name, command in leaves() if name == "strait jobs create"]
    globals_too = {option.name for option in global_options()}
    flags = {param.name for param in create.params} - globals_too

    assert flags - {"tag", "json", "idempotency_key"} <= contract.fields("CreateJob")


@pytest.mark.parametrize(
    ("method", "path", "args"),
    [
        ("POST", "/v1/jobs", ("create", "--json", "-")),
        ("PATCH", "/v1/jobs/resize", ("update", "resize", "--stdin")),
    ],
)
def test_a_field_that_the_server_ignored_is_told_of(any_edge, strait, method, path, args):
    body = {"name": "A", "max_concurency": 5, "timeout_secs": 9, "endpoint_secret": "s", "tags": {}}
    known = {"name": "A", "slug": "a", "timeout_secs": 9, "endpoint_secret_set": True}
    any_edge.on(method, path, Says(200, known))

    ended = strait("jobs", *args, stdin=json.dumps(body))

    assert ended.code == 0
    assert "does not know max_concurency: ignored" in ended.err
