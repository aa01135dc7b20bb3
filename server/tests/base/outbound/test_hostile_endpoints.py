"""Whatever an endpoint does, the error is clear and memory flat (behaviour 3.3, T27).

Each test plays one bad endpoint. "Flat" is measured where it counts: in what
the endpoint got rid of before the client hung up.
"""

import asyncio

import pytest

from strait_server.base.outbound.connection import MAX_HEAD_BYTES, MAX_HEADERS
from strait_server.base.outbound.outcome import Kind, OutboundError

# What fits into the sockets and buffers between the two, on any system.
IN_FLIGHT = 32 << 20


@pytest.fixture
def meet(serve, client, post, eventually):
    """Meet an endpoint that plays a script; answer the error, and see the connection closed."""

    async def play(script, **bounds):
        meet.endpoint = endpoint = await serve(script)
        with pytest.raises(OutboundError) as caught:
            await post(client, endpoint.target("/hook?token=hush"), **bounds)
        await eventually(lambda: client.open_connections == 0)
        assert "hush" not in caught.value.message
        assert "\n" not in caught.value.message
        return caught.value

    return play


@pytest.fixture
def hear(serve, client, post):
    """Let an endpoint answer with exactly these bytes, and close; answer the response."""

    async def play(text):
        async def script(peer):
            await peer.request()
            peer.send(text)

        return await post(client, (await serve(script)).target())

    return play


def says(text, *, then_stays=False):
    async def script(peer):
        await peer.request()
        peer.send(text)
        if then_stays:
            await peer.gone()

    return script


def floods(start, piece):
    async def script(peer):
        await peer.request()
        peer.send(start)
        await peer.flood(piece)

    return script


# Too slow.


async def test_an_endpoint_that_hangs_in_the_middle_runs_out_of_time(meet):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"

    error = await meet(says(head, then_stays=True), total_seconds=0.1)

    assert error.kind is Kind.TIMEOUT
    assert error.message.endswith("did not give a complete answer within 0.1 s")
    assert error.timing.ttfb_ms >= 1
    assert error.timing.transfer_ms >= 1


@pytest.mark.parametrize(
    "start",
    [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"],
)
async def test_an_endpoint_that_drips_runs_out_of_time(meet, start):
    async def script(peer):
        await peer.request()
        drops = iter(start or b"HTTP/1.1 200 " + b"O" * 9999)
        peer.send(start)
        while not await peer.gone(within=0.005):
            peer.send(bytes([next(drops, 120)]))

    error = await meet(script, total_seconds=0.2)

    assert error.kind is Kind.TIMEOUT


# Too much.


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n" + b"x" * 65536 + b"\r\n",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 8192),
    ],
    ids=["announced", "until the end", "in chunks", "in chunks of one byte"],
)
async def test_two_gigabytes_are_cut_at_the_limit(serve, client, post, start, piece):
    """T27: an oversized body is an explicit failure, never a truncated result."""
    endpoint = await serve(floods(start, piece))

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target(), max_body_bytes=100_000)

    error = caught.value
    assert error.kind is Kind.TOO_LARGE
    assert error.message.endswith("answered with a body of more than 100000 bytes")
    assert error.response is not None
    assert error.response.status == 200
    assert error.response.body == b"x" * 100_000
    assert endpoint.sent < IN_FLIGHT


async def test_the_status_of_an_oversized_answer_is_known(meet):
    start = b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n123456789"

    error = await meet(says(start), max_body_bytes=4)

    assert error.response is not None
    assert (error.response.status, error.response.body) == (429, b"1234")
    assert error.response.header("Retry-After") == "7"


async def test_a_body_of_exactly_the_limit_is_taken(serve, client, post):
    async def script(peer):
        await peer.request()
        peer.answer(b"x" * 1000)

    response = await post(client, (await serve(script)).target(), max_body_bytes=1000)

    assert len(response.body) == 1000


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Much: 1\r\n" * 4096),
        (b"HTTP/1.1 200 OK\r\nX-Much: ", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\n", b"x" * 65536),
        (b"HTTP/1.1 200 ", b"x" * 65536),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4096),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Much: ", b"x" * 65536),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Much: 1\r\n" * 4096),
    ],
    ids=[
        "headers", "one header", "one header name", "reason", "interim answers",
        "chunk extension", "one trailer", "trailers",
    ],
)  # fmt: skip
async def test_a_head_without_end_is_cut_at_the_limit(serve, client, post, start, piece):
    endpoint = await serve(floods(start, piece))

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target())

    assert caught.value.kind is Kind.TOO_LARGE
    assert caught.value.message.endswith("answered with too many headers")
    assert endpoint.sent < IN_FLIGHT


@pytest.mark.parametrize(
    "headers",
    [
        b"X: %b\r\n" % (b"x" * (MAX_HEAD_BYTES + 1)),
        b"X: 1\r\n" * (MAX_HEADERS + 1),
    ],
    ids=["bytes", "number"],
)
async def test_a_head_that_arrives_at_once_has_the_same_limits(meet, headers):
    error = await meet(says(b"HTTP/1.1 200 OK\r\n" + headers + b"Content-Length: 0\r\n\r\n"))

    assert error.kind is Kind.TOO_LARGE


async def test_headers_within_the_limits_are_taken(hear):
    many = b"X-Y: 1\r\n" * (MAX_HEADERS - 1)

    response = await hear(b"HTTP/1.1 200 OK\r\n" + many + b"Content-Length: 0\r\n\r\n")

    assert len(response.headers) == MAX_HEADERS


# Too little.


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_a_connection_closed_in_the_middle_is_a_connection_error(meet, text):
    error = await meet(says(text))

    assert error.kind is Kind.CONNECTION
    assert error.message.endswith("closed the connection in the middle of its answer")
    assert error.response is None


# Not HTTP.


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"<html>hello</html>",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n1234567\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_protocol_error(meet, text):
    error = await meet(says(text, then_stays=True))

    assert error.kind is Kind.PROTOCOL
    assert error.message.endswith("did not answer in HTTP")


async def test_an_endpoint_that_speaks_first_is_a_protocol_error(meet):
    async def script(peer):
        peer.send(b"220 mail.example ESMTP\r\n")
        await peer.gone()

    error = await meet(script)

    assert error.kind is Kind.PROTOCOL


# Unusual, and fine.


async def test_interim_answers_are_skipped(hear):
    response = await hear(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"
    )

    assert (response.status, response.body) == (202, b"{}")
    assert response.header("Link") is None


async def test_a_body_may_end_with_the_connection(hear):
    response = await hear(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello")

    assert response.body == b"hello"


async def test_an_answer_may_have_no_body(hear):
    assert (await hear(b"HTTP/1.1 204 No Content\r\n\r\n")).body == b""


async def test_chunks_are_joined_and_trailers_left_out(hear):
    response = await hear(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nRetry-After: 9\r\n\r\n"
    )

    assert response.body == b"abcde"
    assert response.header("Retry-After") is None


async def test_a_compressed_body_is_left_alone(hear):
    response = await hear(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"
    )

    assert response.body == b"\x1f\x8b\x08"


async def test_an_answer_may_come_byte_by_byte(serve, client, post):
    text = b"HTTP/1.1 200 OK\r\nX-Long: value\r\nContent-Length: 5\r\n\r\nhello"

    async def script(peer):
        await peer.request()
        for byte in text:
            peer.send(bytes([byte]))
            await asyncio.sleep(0)

    response = await post(client, (await serve(script)).target())

    assert response.body == b"hello"
    assert response.header("x-long") == "value"
