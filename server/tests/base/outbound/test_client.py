"""Requests, answers and the one retry (behaviour 3.2, 3.3; T28)."""

import asyncio

import pytest

from strait_server.base.outbound.outcome import Kind, OutboundError


async def test_a_request_arrives_and_its_answer_comes_back(serve, client, post):
    async def script(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\nRetry-After: 3\r\nX: a\r\n\r\n")
        peer.send(b'{"n":2}')

    endpoint = await serve(script)

    response = await post(client, endpoint.target("/hook?a=1"), headers=[("X-Run-ID", "r1")])

    assert response.status == 201
    assert response.body == b'{"n":2}'
    assert response.header("retry-after") == "3"
    assert response.header("Location") is None
    assert endpoint.requests == [
        b"POST /hook?a=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 7\r\n"
        b'X-Run-ID: r1\r\n\r\n{"n":1}' % endpoint.port
    ]


async def test_a_large_body_is_sent_whole(serve, client, post):
    endpoint = await serve()
    body = bytes(range(256)) * 20_480

    await post(client, endpoint.target(), body=body)

    assert endpoint.requests[0].endswith(b"\r\n\r\n" + body)


async def test_any_method_can_be_sent(serve, client, post):
    endpoint = await serve()

    await post(client, endpoint.target(), method="PATCH", body=b"")

    assert endpoint.requests[0].startswith(b"PATCH /hook HTTP/1.1\r\n")


async def test_requests_in_turn_share_a_connection(serve, client, post):
    endpoint = await serve()

    for _ in range(5):
        await post(client, endpoint.target())

    assert len(endpoint.requests) == 5
    assert endpoint.accepted == 1
    assert client.open_connections == 1


async def test_requests_at_a_time_have_connections_of_their_own(serve, client, post):
    endpoint = await serve()

    await asyncio.gather(*(post(client, endpoint.target()) for _ in range(20)))

    assert endpoint.accepted == 20
    assert client.open_connections == 20


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_an_endpoint_that_closes_is_not_asked_again_on_that_connection(
    serve, client, post, eventually, head
):
    async def script(peer):
        await peer.request()
        peer.send(head + b"{}")
        await peer.gone()

    endpoint = await serve(script)

    assert (await post(client, endpoint.target())).body == b"{}"
    assert (await post(client, endpoint.target())).body == b"{}"
    assert endpoint.accepted == 2
    await eventually(lambda: client.open_connections == 0)


async def test_a_redirect_is_an_answer_and_is_not_followed(serve, client, post):
    """T28: nothing is sent anywhere else."""
    elsewhere = await serve()

    async def script(peer):
        await peer.request()
        location = b"http://127.0.0.1:%d/" % elsewhere.port
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location)

    endpoint = await serve(script)

    response = await post(client, endpoint.target(), headers=[("X-Secret-Key", "hush")])

    assert response.status == 302
    assert elsewhere.accepted == 0


async def test_a_proxy_of_the_environment_is_ignored(serve, client, post, monkeypatch):
    proxy = await serve()
    endpoint = await serve()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

    await post(client, endpoint.target())

    assert (endpoint.accepted, proxy.accepted) == (1, 0)


async def test_a_bad_header_is_refused_before_anything_is_opened(serve, client, post):
    endpoint = await serve()

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target(), headers=[("X-Note", "a\r\nX-Evil: 1")])

    assert caught.value.kind is Kind.REFUSED
    assert endpoint.accepted == 0


async def test_a_request_is_sent_again_when_a_kept_connection_turns_out_dead(serve, client, post):
    async def script(peer):
        await peer.request()
        peer.answer()
        if peer.endpoint.accepted == 1:
            await peer.request()  # and leave without a word
        else:
            await peer.gone()

    endpoint = await serve(script)
    await post(client, endpoint.target())

    response = await post(client, endpoint.target(), body=b"again")

    assert response.status == 200
    assert endpoint.accepted == 2
    assert [request[-5:] for request in endpoint.requests[1:]] == [b"again", b"again"]


async def test_a_request_is_sent_again_once_only(serve, client, post):
    async def script(peer):
        if peer.endpoint.accepted == 1:
            await peer.request()
            peer.answer()
        await peer.request()

    endpoint = await serve(script)
    await post(client, endpoint.target())

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target())

    assert caught.value.kind is Kind.CONNECTION
    assert caught.value.message.endswith("closed the connection without an answer")
    assert endpoint.accepted == 2
    assert len(endpoint.requests) == 3


async def test_a_request_on_a_new_connection_is_never_sent_again(serve, client, post):
    async def script(peer):
        await peer.request()

    endpoint = await serve(script)

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target())

    assert caught.value.kind is Kind.CONNECTION
    assert endpoint.accepted == 1


async def test_a_request_is_never_sent_again_after_the_first_byte(serve, client, post):
    async def script(peer):
        await peer.request()
        peer.answer()
        await peer.request()
        peer.send(b"H")

    endpoint = await serve(script)
    await post(client, endpoint.target())

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target())

    assert caught.value.kind is Kind.CONNECTION
    assert endpoint.accepted == 1


async def test_the_retry_does_not_get_more_time(serve, client, post):
    async def script(peer):
        await peer.request()
        if peer.endpoint.accepted == 1:
            peer.answer()
            await peer.request()
        else:
            await peer.gone()

    endpoint = await serve(script)
    await post(client, endpoint.target())

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target(), total_seconds=0.1)

    assert caught.value.kind is Kind.TIMEOUT
    assert endpoint.accepted == 2


async def test_a_dead_connection_takes_its_idle_siblings_along(serve, client, post):
    """They were opened to the same process, and waited longer."""
    leave = asyncio.Event()

    async def script(peer):
        await peer.request()
        peer.answer()
        if peer.endpoint.accepted <= 3:
            await peer.request()
            leave.set()

    endpoint = await serve(script)
    await asyncio.gather(*(post(client, endpoint.target()) for _ in range(3)))

    response = await post(client, endpoint.target())

    assert response.status == 200
    assert leave.is_set()
    assert endpoint.accepted == 4
    assert client.open_connections == 1


async def test_a_canceled_call_hangs_up(serve, client, post, eventually):
    async def script(peer):
        await peer.request()
        await peer.gone()
        peer.endpoint.hung_up += 1

    endpoint = await serve(script)
    call = asyncio.create_task(post(client, endpoint.target()))
    await eventually(lambda: endpoint.requests)

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    await eventually(lambda: endpoint.hung_up == 1)
    await eventually(lambda: client.open_connections == 0)


async def test_closing_hangs_up_everything_and_fails_what_is_under_way(
    serve, client, post, eventually
):
    async def hangs(peer):
        await peer.request()
        await peer.gone()

    quick, slow = await serve(), await serve(hangs)
    await asyncio.gather(*(post(client, quick.target()) for _ in range(5)))
    under_way = [asyncio.create_task(post(client, slow.target())) for _ in range(5)]
    await eventually(lambda: len(slow.requests) == 5)

    await client.close()

    assert client.open_connections == 0
    for outcome in await asyncio.gather(*under_way, return_exceptions=True):
        assert isinstance(outcome, OutboundError)
        assert outcome.kind is Kind.CONNECTION
    assert client._pools._pools == {}


async def test_a_closed_client_sends_nothing(serve, client, post):
    endpoint = await serve()
    await client.close()

    with pytest.raises(OutboundError, match="the client is closed"):
        await post(client, endpoint.target())

    assert endpoint.requests == []
    assert client.open_connections == 0
