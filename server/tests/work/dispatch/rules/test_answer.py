"""What an endpoint's answer means (behaviour 3.3, 4.3; T26, T27, T28)."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strait_server.work.dispatch.model import Answer, Cause, Completed, Failure, Trouble
from strait_server.work.dispatch.rules import answer as answers
from strait_server.work.dispatch.rules.answer import DEADLINE_PASSED, HEARTBEAT_LOST, stored_result

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


def read(status, body=b"", *, problems=None, secrets=(), limit=1_048_576, truncated=False, **more):
    if answers.is_success(status):
        return answers.of_success(
            body, truncated=truncated, max_result_bytes=limit, problems=problems
        )
    return answers.of_refusal(Answer(status=status, body=body, **more), secrets=secrets, now=NOW)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_success(status):
    assert read(status) == Completed(None)


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (b"", None),
        (b'{"ok": true}', b'{"ok": true}'),
        (b"null", b"null"),
        (b"12345678901234567890123456789", b"12345678901234567890123456789"),
        (b"fine", b'"fine"'),
        (b'{"ok": tru', b'"{\\"ok\\": tru"'),
        (b"NaN", b'"NaN"'),
        (b"\xff", '"\ufffd"'.encode()),
        (b'"\xff"', '"\\"\ufffd\\""'.encode()),
        (rb'"\ud800"', rb'"\"\\ud800\""'),
        (b"a\x00b", b'"ab"'),
        (rb'{"a\u0000b": "\\u0000"}', rb'{"ab": "\\u0000"}'),
        (b"[" * 5000, b'"' + b"[" * 5000 + b'"'),
    ],
)
def test_a_result_is_json_whatever_the_body_is(body, result):
    """T26: a text/plain answer completes the run."""
    assert read(200, body) == Completed(result)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(rb'{"a": "\u0000"}')
def test_every_result_can_be_stored(body):
    """As `json` without NUL, in UTF-8: what PostgreSQL takes."""
    result = stored_result(body)

    if result is not None:
        msgspec.json.decode(result.decode(), type=msgspec.Raw)
        assert b"\0" not in result
        assert b"\\u0000" not in result.replace(rb"\\", b"")


def test_a_result_of_the_largest_size_is_taken():
    assert read(200, b'"1234"', limit=6) == Completed(b'"1234"')


@pytest.mark.parametrize(
    "finding",
    [
        {"body": b'"12345"', "limit": 6},
        {"body": b'"\n"\n', "limit": 6},
        {"body": b'"123', "limit": 6, "truncated": True},
    ],
    ids=["json", "grows as a string", "cut"],
)
def test_a_result_that_is_too_large_is_an_explicit_failure(finding):
    """T27: never half a document."""
    failure = read(200, **finding)

    assert failure == Failure(
        error="endpoint returned a result of more than 6 bytes", error_class="client"
    )


def test_a_result_is_held_against_its_schema():
    asked = []

    def problems(result):
        asked.append(result)
        return ["$.a is required", "$.b must be string"]

    failure = read(200, b"{}", problems=problems)

    assert asked == [b"{}"]
    assert failure == Failure(
        error="result does not match result_schema: $.a is required; $.b must be string",
        error_class="client",
    )


def test_no_result_is_null_to_a_schema():
    asked = []

    assert read(204, problems=lambda result: asked.append(result) or []) == Completed(None)
    assert asked == [b"null"]


def test_all_else_is_a_failure_with_the_answers_text():
    assert read(500, b"boom") == Failure(error="endpoint returned 500: boom", error_class="server")
    assert read(404, b"gone") == Failure(error="endpoint returned 404: gone", error_class="client")


def test_a_redirect_is_a_failure():
    """T28."""
    assert read(302, b"") == Failure(error="endpoint returned 302", error_class="client")


def test_what_a_failed_endpoint_writes_does_not_change_the_class():
    assert read(500, b"OOM: budget exceeded").error_class == "server"


def test_a_long_error_is_cut_and_no_secret_is_in_it():
    """T40d."""
    failure = read(500, b"hunter22 " * 1000, secrets=["hunter22"], truncated=True)

    assert "hunter22" not in failure.error
    assert len(failure.error.encode()) == 4096


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "120", 120),
        (503, "Mon, 05 Jan 2026 10:02:00 GMT", 120),
        (429, "soon", 0),
        (429, None, 0),
        (500, "120", 0),
    ],
)
def test_only_429_and_503_may_ask_for_patience(status, header, seconds):
    assert read(status, retry_after=header).retry_after_seconds == seconds


def test_a_deadline_has_one_text_wherever_it_struck():
    failure = answers.of_trouble(Trouble.TIMEOUT, "read after 30 s", secrets=())

    assert failure is DEADLINE_PASSED
    assert failure.error == "execution timed out"
    assert failure.error_class == "timeout"
    assert failure.cause is Cause.DEADLINE


def test_another_trouble_keeps_its_text():
    failure = answers.of_trouble(Trouble.CONNECTION, "connect: refused", secrets=())

    assert failure == Failure(error="connect: refused", error_class="connection")


def test_an_error_of_our_own_is_cleaned_too():
    failure = answers.of_internal("cannot open hunter22", secrets=["hunter22"])

    assert failure == Failure(error="cannot open [REDACTED]", error_class="unknown")


def test_a_lost_heartbeat_may_pass():
    assert HEARTBEAT_LOST.error == "heartbeat lost"
    assert HEARTBEAT_LOST.error_class == "transient"
    assert HEARTBEAT_LOST.cause is Cause.LOST
