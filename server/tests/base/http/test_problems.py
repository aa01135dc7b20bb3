"""How failures look from outside (api 3)."""

import json

import asyncpg
import pytest
import structlog
from litestar.exceptions import MethodNotAllowedException, NotFoundException

from strait_server.base import errors
from strait_server.base.http.problems import Disconnected, render

EXPECTED = [
    (errors.Invalid, 400, "validation_error"),
    (errors.Unauthorized, 401, "unauthorized"),
    (errors.Forbidden, 403, "forbidden"),
    (errors.NotFound, 404, "not_found"),
    (errors.Conflict, 409, "conflict"),
    (errors.Gone, 410, "gone"),
    (errors.TooLarge, 413, "payload_too_large"),
    (errors.LimitReached, 429, "rate_limited"),
    (errors.Unavailable, 503, "service_unavailable"),
]


@pytest.mark.parametrize(("kind", "status", "code"), EXPECTED)
def test_each_branch_of_the_tree_has_its_status(kind, status, code):
    answer = render(kind("what went wrong"), "req-1")

    assert answer.status == status
    assert json.loads(answer.body) == {
        "error": "what went wrong",
        "code": code,
        "message": "what went wrong",
        "request_id": "req-1",
    }


def test_the_error_of_a_room_has_the_status_of_its_branch_and_a_code_of_its_own():
    class JobDisabled(errors.Conflict):
        code = "job_disabled"

    answer = render(JobDisabled("job is disabled"), "req-1")

    assert answer.status == 409
    assert json.loads(answer.body)["code"] == "job_disabled"


def test_details_are_there_only_when_there_are_some():
    answer = render(errors.Invalid("validation failed", problems=["name: too short"]), "req-1")

    assert json.loads(answer.body)["details"] == ["name: too short"]


def test_an_error_may_have_keys_of_its_own():
    class IterationLimit(errors.LimitReached):
        code = "iteration_limit_exceeded"

        def __init__(self):
            super().__init__("iteration_limit_exceeded")
            self.extra = {"current": 20, "limit": 20}

    body = json.loads(render(IterationLimit(), "req-5").body)

    assert body == {
        "error": "iteration_limit_exceeded",
        "code": "iteration_limit_exceeded",
        "message": "iteration_limit_exceeded",
        "request_id": "req-5",
        "current": 20,
        "limit": 20,
    }


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.LimitReached("no", retry_after=12.2), b"13"),
        (errors.LimitReached("no", retry_after=0.0), b"1"),
        (errors.Unavailable("no"), b"1"),
    ],
)
def test_a_limit_says_in_whole_seconds_when_to_come_back(error, seconds):
    assert dict(render(error, "req-1").headers)[b"retry-after"] == seconds


def test_an_unknown_caller_is_told_how_to_say_who_he_is():
    assert (
        dict(render(errors.Unauthorized("no"), "req-1").headers)[b"www-authenticate"] == b"Bearer"
    )


def test_a_bug_tells_nothing_but_its_request_id_and_is_logged_under_it():
    bug = KeyError("password=hunter2")

    with structlog.testing.capture_logs() as lines:
        answer = render(bug, "req-7")

    assert answer.status == 500
    assert json.loads(answer.body) == {
        "error": "internal error",
        "code": "internal_error",
        "message": "internal error",
        "request_id": "req-7",
    }
    [line] = lines
    assert line["request_id"] == "req-7"
    assert line["exc_info"] is bug


def test_an_error_that_is_no_business_of_the_caller_is_a_bug():
    """A secret that does not open says nothing of keys to the one who asked."""

    class SealBroken(errors.StraitError):
        code = "seal_broken"

    answer = render(SealBroken("a stored secret needs the encryption key 1234"), "req-1")

    assert answer.status == 500
    assert b"1234" not in answer.body


def test_an_unknown_path_answers_in_the_envelope():
    answer = render(NotFoundException(), "req-1")

    assert answer.status == 404
    assert json.loads(answer.body)["message"] == "not found"


def test_a_wrong_method_says_which_are_right():
    answer = render(MethodNotAllowedException(headers={"allow": "GET, POST"}), "req-1")

    assert answer.status == 405
    assert json.loads(answer.body)["code"] == "method_not_allowed"
    assert dict(answer.headers)[b"allow"] == b"GET, HEAD, POST"


def test_a_single_failure_in_a_group_is_that_failure():
    group = ExceptionGroup("cleanup", [ExceptionGroup("tasks", [errors.NotFound("run not found")])])

    assert render(group, "req-1").status == 404


def test_a_statement_that_was_cut_off_can_be_tried_again():
    """T122."""
    answer = render(asyncpg.QueryCanceledError("canceling statement"), "req-1")

    assert answer.status == 503
    assert json.loads(answer.body)["message"] == "the database took too long"


def test_a_client_that_went_away_is_nobodys_failure():
    assert render(Disconnected(), "req-1").status == 400
