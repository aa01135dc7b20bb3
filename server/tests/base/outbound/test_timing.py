"""Deadlines, and the phases of an exchange (behaviour 3.9; T24, T41d)."""

import asyncio
import socket

import pytest

from strait_server.base.clock import monotonic
from strait_server.base.outbound.outcome import Kind, OutboundError, milliseconds


async def test_no_answer_within_the_total_time_is_a_timeout(serve, client, post, eventually):
    async def script(peer):
        await peer.request()
        await peer.gone()
        peer.endpoint.hung_up += 1

    endpoint = await serve(script)

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target("/hook?token=hush"), total_seconds=0.05)

    error = caught.value
    assert error.kind is Kind.TIMEOUT
    assert error.message == f"127.0.0.1:{endpoint.port} did not give any answer within 0.05 s"
    assert error.timing.connect_ms >= 1
    assert error.timing.ttfb_ms == error.timing.transfer_ms == 0
    await eventually(lambda: endpoint.hung_up == 1)


async def test_a_long_total_time_is_not_undercut(serve, client, post):
    """T24: there is no other timeout hidden in the client."""
    endpoint = await serve()

    response = await post(client, endpoint.target(), total_seconds=86_400.0)

    assert response.status == 200


async def test_a_silent_peer_is_probed_while_a_long_job_runs(serve, client, post):
    """T24: without probes a machine that vanished is waited for until the total time is over."""
    endpoint = await serve()
    await post(client, endpoint.target())

    [connection] = client._open

    connected = connection._transport.get_extra_info("socket")
    assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_the_phases_of_a_first_exchange_are_measured(serve, client, post):
    """T41d: a phase that happened took at least 1 ms, none is negative."""

    async def script(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
        await peer.gone(within=0.02)
        peer.send(b"}")

    endpoint = await serve(script)

    timing = (await post(client, endpoint.target())).timing

    assert timing.connect_ms >= 1
    assert timing.ttfb_ms >= 1
    assert timing.transfer_ms >= 15
    assert timing.dispatch_ms == timing.connect_ms + timing.ttfb_ms + timing.transfer_ms


async def test_a_reused_connection_took_no_time_to_connect(serve, client, post):
    endpoint = await serve()
    await post(client, endpoint.target())

    timing = (await post(client, endpoint.target())).timing

    assert timing.connect_ms == 0
    assert timing.ttfb_ms >= 1
    assert timing.transfer_ms == 0


@pytest.mark.parametrize(
    ("seconds", "expected"), [(-1.0, 0), (0.0, 0), (1e-9, 1), (0.0004, 1), (0.0026, 3), (2.0, 2000)]
)
def test_a_duration_becomes_whole_milliseconds(seconds, expected):
    assert milliseconds(seconds) == expected


async def test_each_exchange_ends_at_its_own_time(serve, client, post):
    """One timer watches them all, whichever is over first and whichever began first."""

    async def script(peer):
        await peer.request()
        await peer.gone()

    endpoint = await serve(script)
    began = monotonic()

    async def ends_after(seconds):
        with pytest.raises(OutboundError) as caught:
            await post(client, endpoint.target(), total_seconds=seconds)
        assert f"within {seconds:g} s" in caught.value.message
        return monotonic() - began

    limits = [0.6, 0.2, 0.4, 0.2, 1.0]
    took = await asyncio.gather(*map(ends_after, limits))

    for limit, seconds in zip(limits, took, strict=True):
        assert limit <= seconds
    assert [limits[n] for n in sorted(range(5), key=took.__getitem__)] == sorted(limits)
