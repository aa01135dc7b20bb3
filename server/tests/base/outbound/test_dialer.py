"""Connecting: addresses, the time it may take, probes (behaviour 3.2, 4.3; T24)."""

import asyncio
import threading

import pytest

from strait_server.base.outbound.dialer import alternate
from strait_server.base.outbound.outcome import Kind, OutboundError


async def test_a_lookup_that_hangs_ends_with_the_connect_time(new_client, post, serve):
    may_answer = threading.Event()
    client = new_client(lookup=lambda _host: [str(may_answer.wait(10))])
    endpoint = await serve()

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target(host="endpoint.example"), connect_seconds=0.02)

    may_answer.set()
    assert caught.value.kind is Kind.CONNECTION


async def test_an_endpoint_that_cannot_be_reached_in_time_is_a_connection_error(
    client, post, deafen, serve
):
    """Behaviour 4.3 #8: it is not a job that ran for too long."""
    endpoint = await serve()
    endpoint.port = deafen()

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target(), connect_seconds=0.05)

    assert caught.value.kind is Kind.CONNECTION
    assert caught.value.message == f"cannot connect to 127.0.0.1:{endpoint.port} within 0.05 s"


async def test_a_total_time_that_ends_while_connecting_is_a_timeout(client, post, deafen, serve):
    endpoint = await serve()
    endpoint.port = deafen()

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target(), total_seconds=0.05)

    assert caught.value.kind is Kind.TIMEOUT
    assert caught.value.timing.dispatch_ms == 0


def test_families_take_turns_and_only_a_few_addresses_are_tried():
    four = [f"8.8.8.{number}" for number in range(9)]

    assert alternate(["::1", "::2", *four]) == ["::1", four[0], "::2", *four[1:6]]
    assert alternate([four[0], "::1", "::2"]) == [four[0], "::1", "::2"]
    assert alternate(["::1"]) == ["::1"]


async def test_the_next_address_is_tried_when_one_refuses(serve, new_client, post):
    client = new_client(addresses=["127.0.0.2", "::1", "127.0.0.1"])
    endpoint = await serve()

    response = await post(client, endpoint.target(host="endpoint.example"))

    assert response.status == 200
    assert f"Host: endpoint.example:{endpoint.port}".encode() in endpoint.requests[0]


async def test_the_next_address_is_tried_when_one_is_silent(serve, new_client, post, deafen):
    endpoint = await serve()
    deafen("127.0.0.2", endpoint.port)
    client = new_client(addresses=["127.0.0.2", "127.0.0.1"])

    response = await post(client, endpoint.target(host="endpoint.example"))

    assert response.status == 200
    assert response.timing.connect_ms >= 200


async def test_an_endpoint_nobody_listens_at_is_a_connection_error(serve, new_client, post):
    client = new_client(addresses=["127.0.0.2", "127.0.0.3"])
    endpoint = await serve()

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target(host="endpoint.example"))

    assert caught.value.kind is Kind.CONNECTION
    assert caught.value.message == (
        f"cannot connect to endpoint.example:{endpoint.port}: connection refused"
    )


async def test_a_call_canceled_while_connecting_leaves_nothing(
    serve, client, post, eventually, deafen
):
    endpoint = await serve()
    endpoint.port = deafen()
    call = asyncio.create_task(post(client, endpoint.target()))
    await eventually(lambda: client._pools._pools)

    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert client.open_connections == 0
    assert client._pools._pools == {}
