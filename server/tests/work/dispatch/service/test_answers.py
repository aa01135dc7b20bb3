"""What becomes of what an endpoint answers (behaviour 3.3, 4.3)."""

import crew
import msgspec
import pytest
import world
from endpoint import answer, hang_up, trickle

from strait_server.work.queue.model import Status

MEBIBYTE = 1 << 20


async def outcome(db, hire, endpoint, script, *, settings=(), **columns):
    """Have one run answered like this, and return its row."""
    endpoint.on("/work", script)
    await hire(**dict(settings))
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=1, **columns)
    [run] = await world.queued(db, job, 1)
    await crew.ended(db, run.id)
    return await crew.the_run(db, run.id)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_a_success(db, hire, endpoint, status):
    row = await outcome(db, hire, endpoint, answer(status, b"" if status == 204 else b"1"))

    assert row["status"] == Status.COMPLETED


async def test_an_empty_answer_is_a_success_without_result(db, hire, endpoint):
    row = await outcome(db, hire, endpoint, answer(body=b""))

    assert (row["status"], row["result"]) == ("completed", None)


async def test_text_is_stored_as_a_json_string(db, hire, endpoint):
    """T26."""
    row = await outcome(db, hire, endpoint, answer(body=b'done, "well"', Content_Type="text/plain"))

    assert row["status"] == Status.COMPLETED
    assert msgspec.json.decode(row["result"]) == 'done, "well"'


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b'{"a": "\\u0000"}', b"\x00", b'{"a": "\\ud800"}', b"[" * 5000 + b"]" * 5000],
    ids=["no utf-8", "nul in json", "nul", "half a pair", "deep"],
)
async def test_whatever_is_answered_can_be_stored(db, hire, endpoint, body):
    row = await outcome(db, hire, endpoint, answer(body=body))

    assert row["status"] == Status.COMPLETED
    assert row["result"] is not None


async def test_a_result_of_exactly_the_limit_is_stored_whole(db, hire, endpoint):
    body = b'"' + b"x" * (MEBIBYTE - 2) + b'"'

    row = await outcome(db, hire, endpoint, answer(body=body))

    assert row["status"] == Status.COMPLETED
    assert bytes(row["result"]) == body


async def test_an_oversized_answer_is_a_failure_that_says_so(db, hire, endpoint):
    """T27."""
    row = await outcome(db, hire, endpoint, answer(body=b"x" * (MEBIBYTE + 1)))

    assert (row["status"], row["error_class"]) == ("dead_letter", "client")
    assert row["error"] == "endpoint returned a result of more than 1048576 bytes"
    assert row["result"] is None


async def test_an_oversized_refusal_keeps_its_status(db, hire, endpoint):
    row = await outcome(db, hire, endpoint, answer(503, b"no " * MEBIBYTE))

    assert row["error_class"] == "server"
    assert row["error"].startswith("endpoint returned 503: no no")
    assert len(row["error"].encode()) <= 4096


async def test_the_operator_may_allow_less(db, hire, endpoint):
    row = await outcome(
        db, hire, endpoint, answer(body=b'"12345678"'), settings={"max_result_size": 9}
    )

    assert row["error"] == "endpoint returned a result of more than 9 bytes"


async def test_a_result_must_match_the_schema_of_its_job(db, hire, endpoint):
    schema = b'{"type": "object", "required": ["sum"]}'

    row = await outcome(db, hire, endpoint, answer(body=b"{}"), result_schema=schema)

    assert (row["status"], row["error_class"]) == ("dead_letter", "client")
    assert row["error"].startswith("result does not match result_schema: ")
    assert "sum" in row["error"]


async def test_a_matching_result_completes_the_run(db, hire, endpoint):
    schema = b'{"type": "object", "required": ["sum"]}'

    row = await outcome(db, hire, endpoint, answer(body=b'{"sum": 1}'), result_schema=schema)

    assert row["status"] == Status.COMPLETED


@pytest.mark.parametrize(
    ("script", "error_class"),
    [
        (answer(400), "client"),
        (answer(401), "auth"),
        (answer(403), "auth"),
        (answer(404), "client"),
        (answer(408), "timeout"),
        (answer(425), "transient"),
        (answer(429), "rate_limited"),
        (answer(500, b"out of memory"), "server"),
        (hang_up, "connection"),
    ],
    ids=["400", "401", "403", "404", "408", "425", "429", "500", "hung up"],
)
async def test_a_failure_has_its_class(db, hire, endpoint, script, error_class):
    row = await outcome(db, hire, endpoint, script)

    assert (row["status"], row["error_class"]) == ("dead_letter", error_class)


async def test_what_an_endpoint_gives_away_is_not_stored(db, hire, endpoint):
    """T40d: it quotes the very headers it was sent."""

    async def quote(peer, request):
        told = f"{request['X-Secret-PASS']} and {request['X-Run-Token']}"
        await answer(500, told.encode())(peer, request)

    await world.a_secret(db, "PASS", "open sesame!")

    row = await outcome(db, hire, endpoint, quote)

    assert row["error"] == "endpoint returned 500: [REDACTED] and [REDACTED]"


async def test_an_answer_that_never_ends_is_a_timeout(db, hire, endpoint):
    row = await outcome(db, hire, endpoint, trickle(), timeout_secs=1)

    assert (row["status"], row["error"], row["error_class"]) == (
        "timed_out",
        "execution timed out",
        "timeout",
    )
    assert row["trace"] is not None
