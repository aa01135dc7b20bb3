"""`strait keys`, `projects` and `secrets` (cli 9; api 9.2, 9.7, 9.22)."""

import pytest
from edge import Says


def test_keys_create_takes_scopes_in_either_form(edge, strait):
    edge.on("POST", "/v1/api-keys", Says(201, {"id": "k1", "key": "strait_abc"}))

    ended = strait(
        *("keys", "create", "--name", "ci", "--scopes", "jobs:read,runs:read"),
        *("--scopes", "stats:read", "--expires-in-days", "90"),
    )

    assert ended.json["key"] == "strait_abc"
    assert edge.asked[-1].body == {
        "name": "ci",
        "scopes": ["jobs:read", "runs:read", "stats:read"],
        "expires_in_days": 90,
    }


def test_a_rotated_key_is_known_by_its_new_id(edge, strait):
    answer = {"old_key_id": "k1", "new_key_id": "k2", "key": "strait_new"}
    edge.on("POST", "/v1/api-keys/k1/rotate", Says(201, answer))

    assert strait("keys", "rotate", "k1", "-q").out == "k2\n"
    assert edge.asked[-1].body == {"grace_period_minutes": 60}


def test_api_keys_is_another_name_for_keys(edge, strait):
    edge.on("DELETE", "/v1/api-keys/k1", Says(200, {"status": "revoked"}))

    assert strait("api-keys", "revoke", "k1", "--yes").code == 0


def test_projects_are_listed_from_a_bare_array(edge, strait):
    edge.on("GET", "/v1/projects", Says(200, [{"id": "proj_1", "name": "Media"}]))

    assert strait("projects", "list", "-q").out == "proj_1\n"


def test_a_project_is_created_under_the_chosen_id(edge, strait):
    edge.on("POST", "/v1/projects", Says(201, {"id": "proj_1"}))

    strait("projects", "create", "--id", "proj_1", "--name", "Media", "--org-id", "org_1")

    assert edge.asked[-1].body == {"id": "proj_1", "name": "Media", "org_id": "org_1"}


@pytest.mark.parametrize(
    ("source", "stdin"),
    [
        (("--value", "s3cret"), ""),
        (("--value-from-env", "SOURCE"), ""),
        (("--value-from-file", "-"), "s3cret\n"),
    ],
)
def test_a_secret_comes_from_a_flag_a_variable_or_a_file(edge, strait, monkeypatch, source, stdin):
    monkeypatch.setenv("SOURCE", "s3cret")
    edge.on("POST", "/v1/secrets", Says(201, {"id": "s1", "secret_key": "TOKEN"}))

    strait("secrets", "set", "TOKEN", *source, "--environment", "staging", stdin=stdin)

    assert edge.asked[-1].body == {
        "secret_key": "TOKEN",
        "environment": "staging",
        "value": "s3cret",
    }


@pytest.mark.parametrize(
    "args", [(), ("--value", "a", "--value-from-env", "B"), ("--value-from-env", "NOT_THERE")]
)
def test_a_secret_without_one_source_is_refused(edge, strait, args):
    assert strait("secrets", "set", "TOKEN", *args).code == 3


def test_a_trace_never_holds_a_key_or_a_secret(edge, strait):
    edge.on("POST", "/v1/secrets", Says(201, {"id": "s1"}))

    ended = strait("secrets", "set", "TOKEN", "--value", "s3cret", "--debug")

    assert "> authorization: Bearer ***" in ended.err
    assert "strait_test" not in ended.err
    assert "s3cret" not in ended.err


def test_verbose_says_which_calls_were_made(edge, strait):
    edge.on("GET", "/v1/stats", Says(200, {"queued": 0}))

    assert f"GET {edge.url}/v1/stats -> 200" in strait("stats", "-v").err
