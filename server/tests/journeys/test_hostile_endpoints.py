"""Endpoints that behave badly, met by the whole product (behaviour 3.3, 4.3; T24, T26 to T28)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest
from journeys.endpoint import Visit
from journeys.storm import say

MEGABYTE = 1 << 20
MOST_SENT = 64 * MEGABYTE  # of two gigabytes; the rest stays in nobody's memory
MOST_GROWTH = 24 * MEGABYTE
ROUNDS = 3
AT_ONCE = 4
HEAD = b"HTTP/1.1 200 OK\r\n"


class Manner(NamedTuple):
    """A way to answer, and how a run must end that is answered so."""

    answer: Callable[[Visit], Awaitable[None]]
    status: str
    error_class: str | None
    error: str = ""
    result: str | None = None


def says(*pieces: bytes, then_stays: bool = False):
    async def say(visit):
        for piece in pieces:
            visit.say(piece)
            await visit.writer.drain()
        visit.call.status = 200
        if then_stays:
            await visit.hung_up()
        visit.writer.close()

    return say


def floods(start: bytes, piece: bytes):
    async def flood(visit):
        visit.say(start)
        await visit.flood(piece)

    return flood


async def hangs(visit):
    await visit.hung_up()


async def drips(visit):
    """One byte a second."""
    visit.say(HEAD + b"Content-Length: 1000\r\n\r\n")
    while not visit.reader.at_eof():
        visit.say(b" ")
        await asyncio.sleep(1)


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MANNERS = {
    "hangs": Manner(hangs, "timed_out", "timeout", "execution timed out"),
    "drips": Manner(drips, "timed_out", "timeout", "execution timed out"),
    "two_gigabytes": Manner(
        floods(HEAD + b"Content-Length: 2147483648\r\n\r\n", b"x" * 65536),
        "dead_letter",
        "client",
        "endpoint returned a result of more than 1048576 bytes",
    ),
    "two_gigabytes_of_chunks": Manner(
        floods(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        "dead_letter",
        "client",
        "endpoint returned a result of more than 1048576 bytes",
    ),
    "two_gigabytes_of_headers": Manner(
        floods(HEAD, b"X-More: " + b"x" * 8000 + b"\r\n"),
        "dead_letter",
        "client",
        "too many headers",
    ),
    "patience_without_end": Manner(
        floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        "dead_letter",
        "client",
        "too many headers",
    ),
    "patience": Manner(
        says(b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b"Content-Length: 7\r\n\r\n", b'{"a":1}'),
        "completed",
        None,
        result='{"a":1}',
    ),
    "closes_at_once": Manner(says(), "dead_letter", "connection", "without an answer"),
    "closes_in_the_body": Manner(
        says(HEAD + b"Content-Length: 100\r\n\r\n", b'{"half":'),
        "dead_letter",
        "connection",
        "in the middle of its answer",
    ),
    "garbage": Manner(
        says(b"\x16\x03\x01 what is this?\r\n\r\n", then_stays=True),
        "dead_letter",
        "transient",
        "did not answer in HTTP",
    ),
    "chunked_nonsense": Manner(
        says(CHUNKED + b"not hex\r\nnot a chunk\r\n", then_stays=True),
        "dead_letter",
        "transient",
        "did not answer in HTTP",
    ),
    "no_json": Manner(
        says(HEAD + b"Content-Length: 5\r\n\r\nhello"), "completed", None, result='"hello"'
    ),
    "redirects": Manner(
        says(b"HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n"),
        "dead_letter",
        "client",
        "endpoint returned 302",
    ),
}


@pytest.fixture(scope="module")
async def treated(common):
    """Every manner met, a few times at once and several times in a row, by one worker.

    At a new address every time: five failures would open an endpoint's circuit.
    """
    worker = await common.start_worker()
    sizes = [worker.most_resident_bytes]
    for turn in range(ROUNDS):
        for name, manner in MANNERS.items():
            path = f"{name}-{turn}"
            common.endpoint.play(path, manner.answer)
            await common.job(path, max_attempts=1, timeout_secs=1)
            await common.trigger(path, AT_ONCE)
        await common.at_rest(within=20)
        sizes.append(worker.most_resident_bytes)
    await common.stop_workers()
    return sizes


@pytest.mark.usefixtures("treated")
@pytest.mark.parametrize("name", MANNERS)
async def test_a_bad_answer_has_a_clear_end(stage, name):
    manner = MANNERS[name]

    runs = [run for turn in range(ROUNDS) for run in await stage.runs(f"{name}-{turn}")]

    assert len(runs) == ROUNDS * AT_ONCE
    assert {run["status"] for run in runs} == {manner.status}
    assert {run["error_class"] for run in runs} == {manner.error_class}
    assert {run["result"] for run in runs} == {manner.result}
    assert all(manner.error in (run["error"] or "") for run in runs)
    calls = [call for turn in range(ROUNDS) for call in stage.endpoint.calls_to(f"{name}-{turn}")]
    assert max(call.sent for call in calls) < MOST_SENT


def test_the_worker_does_not_grow(treated):
    """Not by what it was sent, not from round to round, and not in between."""
    say(f"the worker took at most {[size // MEGABYTE for size in treated]} MB")
    before, *after = treated
    assert max(after) - before < MOST_GROWTH
