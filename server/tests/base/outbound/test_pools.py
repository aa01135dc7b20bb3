"""Idle connections and turns (behaviour 3.2; T35)."""

import asyncio

import pytest

from strait_server.base.outbound.outcome import Kind, OutboundError
from strait_server.base.outbound.pools import Limits


async def test_a_connection_that_was_idle_too_long_is_closed(serve, new_client, post, eventually):
    client = new_client(limits=Limits(idle_seconds=0.02))
    endpoint = await serve()

    await post(client, endpoint.target())

    assert client.open_connections == 1
    await eventually(lambda: client.open_connections == 0)
    await eventually(lambda: endpoint.hung_up == 1)


async def test_the_sweep_spares_what_was_used_since(serve, new_client, post, eventually):
    client = new_client(limits=Limits(idle_seconds=0.05))
    endpoint = await serve()
    await asyncio.gather(*(post(client, endpoint.target()) for _ in range(2)))

    async with asyncio.timeout(5):
        while client.open_connections == 2:
            await post(client, endpoint.target())

    assert client.open_connections == 1
    assert endpoint.accepted == 2


async def test_the_longest_idle_connection_makes_room(serve, new_client, post, eventually):
    client = new_client(limits=Limits(idle=2))
    endpoints = [await serve() for _ in range(3)]

    for endpoint in endpoints:
        await post(client, endpoint.target())

    await eventually(lambda: client.open_connections == 2)
    await eventually(lambda: [each.hung_up for each in endpoints] == [1, 0, 0])


async def test_a_connection_the_endpoint_closed_is_not_kept(serve, client, post, eventually):
    async def script(peer):
        await peer.request()
        peer.answer()

    endpoint = await serve(script)

    await post(client, endpoint.target())

    await eventually(lambda: client.open_connections == 0)
    assert client._pools._pools == {}


async def test_bytes_nobody_asked_for_end_an_idle_connection(serve, client, post, eventually):
    speak = asyncio.Event()

    async def script(peer):
        await peer.request()
        peer.answer()
        await speak.wait()
        peer.answer(b"gift")
        await peer.gone()

    endpoint = await serve(script)
    await post(client, endpoint.target())

    speak.set()

    await eventually(lambda: client.open_connections == 0)


async def test_bytes_behind_an_answer_end_the_connection_but_not_the_answer(
    serve, client, post, eventually
):
    async def script(peer):
        await peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n")
        await peer.gone()

    endpoint = await serve(script)

    assert (await post(client, endpoint.target())).body == b"{}"
    await eventually(lambda: client.open_connections == 0)


async def test_an_answer_before_the_whole_request_was_read_ends_the_connection(
    serve, client, post, eventually
):
    async def script(peer):
        await peer.head()
        peer.answer(status=b"413 Too Large")
        await asyncio.Event().wait()  # and reads no further

    endpoint = await serve(script)

    response = await post(client, endpoint.target(), body=bytes(32 << 20))

    assert response.status == 413
    await eventually(lambda: client.open_connections == 0)


async def test_an_origin_gets_no_more_requests_at_a_time_than_allowed(serve, new_client, post):
    client = new_client(limits=Limits(per_origin=3))
    endpoint = await serve()

    answers = await asyncio.gather(*(post(client, endpoint.target()) for _ in range(30)))

    assert len(answers) == len(endpoint.requests) == 30
    assert endpoint.accepted == 3


async def test_one_busy_origin_does_not_delay_another(serve, new_client, post):
    async def hangs(peer):
        await peer.request()
        await peer.gone()

    client = new_client(limits=Limits(per_origin=1))
    busy, other = await serve(hangs), await serve()
    hanging = [asyncio.create_task(post(client, busy.target())) for _ in range(3)]

    assert (await post(client, other.target())).status == 200

    for task in hanging:
        task.cancel()
    await asyncio.wait(hanging)


async def test_waiting_for_a_turn_ends_with_the_deadline(serve, new_client, post, eventually):
    async def hangs(peer):
        await peer.request()
        await peer.gone()

    client = new_client(limits=Limits(per_origin=1))
    endpoint = await serve(hangs)
    first = asyncio.create_task(post(client, endpoint.target()))
    await eventually(lambda: endpoint.requests)

    with pytest.raises(OutboundError) as caught:
        await post(client, endpoint.target(), total_seconds=0.05)

    assert caught.value.kind is Kind.TIMEOUT
    assert caught.value.message.endswith("became free within 0.05 s")
    first.cancel()
    await asyncio.wait([first])


async def test_whoever_stops_waiting_leaves_the_turn_to_the_next(
    serve, new_client, post, eventually
):
    go = asyncio.Event()

    async def script(peer):
        while True:
            await peer.request()
            await go.wait()
            peer.answer()

    client = new_client(limits=Limits(per_origin=1))
    endpoint = await serve(script)
    first = asyncio.create_task(post(client, endpoint.target()))
    await eventually(lambda: endpoint.requests)
    quitter, patient = (asyncio.create_task(post(client, endpoint.target())) for _ in range(2))
    [pool] = client._pools._pools.values()
    await eventually(lambda: pool.users == 3)

    quitter.cancel()
    go.set()

    assert (await first).status == 200
    assert (await patient).status == 200
    with pytest.raises(asyncio.CancelledError):
        await quitter
    assert pool.users == 0


@pytest.mark.parametrize("keeps", [True, False])
async def test_every_turn_is_free_again_after_any_mix_of_ends(
    serve, new_client, post, eventually, keeps
):
    """T35: successes, refusals, garbage, silence, lost connections and canceled calls."""

    async def script(peer):
        while True:
            match len(await peer.request()) % 5:
                case 0:
                    peer.send(b"garbage")
                case 1:
                    await peer.gone()
                case 2:
                    return
                case _:
                    peer.answer()
            if not keeps:
                return

    client = new_client(limits=Limits(per_origin=5))
    endpoint = await serve(script)
    calls = [
        asyncio.create_task(
            post(client, endpoint.target(), body=bytes(size), total_seconds=0.01 * (size % 7 + 1))
        )
        for size in range(200)
    ]
    for call in calls[::9]:
        asyncio.get_running_loop().call_later(0.02, call.cancel)

    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    await eventually(lambda: client.open_connections == len(client._pools._idle))
    for pool in client._pools._pools.values():
        assert pool.users == 0
        assert pool.turns.free == 5
    assert any(not isinstance(outcome, BaseException) for outcome in outcomes)
