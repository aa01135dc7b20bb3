"""No connection is ever opened to a blocked range, whatever the names do (T29, behaviour 3.8)."""

import asyncio
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from strait_server.base.outbound import urls
from strait_server.base.outbound.addresses import BLOCKED_RANGES, is_blocked
from strait_server.base.outbound.client import Client
from strait_server.base.outbound.dialer import verified_tls
from strait_server.base.outbound.outcome import Kind, OutboundError
from strait_server.base.outbound.resolver import Resolver
from strait_server.base.outbound.urls import EndpointPolicy

BLOCKED = st.sampled_from(BLOCKED_RANGES).flatmap(lambda block: st.ip_addresses(network=block))
PUBLIC = st.ip_addresses().filter(lambda address: not is_blocked(address))
TLS = verified_tls()
ANSWER = st.lists((BLOCKED | PUBLIC).map(str), min_size=1, max_size=4)


class Wire(asyncio.SelectorEventLoop):
    """The edge of the house: writes down where a connection would go, and refuses it."""

    def __init__(self):
        super().__init__()
        self.dialled = []

    async def sock_connect(self, sock, address):
        self.dialled.append(address[0])
        raise ConnectionRefusedError(111, "refused")

    async def getaddrinfo(self, *question, **options):
        raise AssertionError(f"{question} was resolved behind our back")


async def knock(answers, *, remember_seconds):
    """Send one request for each answer the name service gives in turn; tell how they ended."""
    turn = iter(answers)
    resolver = Resolver(lambda _host: next(turn), remember_seconds=remember_seconds)
    client = Client(resolver, tls=TLS)
    target = urls.parse("http://endpoint.example/hook", EndpointPolicy())
    kinds = []
    for _ in answers:
        try:
            await client.request(
                "POST",
                target,
                headers=[],
                body=b"",
                total_seconds=10,
                connect_seconds=10,
                max_body_bytes=1,
            )
        except OutboundError as error:
            kinds.append(error.kind)
    await client.close()
    resolver.close()
    return kinds


@settings(deadline=None)  # each example starts a loop
@given(answers=st.lists(ANSWER, min_size=1, max_size=4), remember_seconds=st.sampled_from([0, 10]))
def test_only_checked_addresses_are_dialled_however_the_answers_change(answers, remember_seconds):
    with asyncio.Runner(loop_factory=Wire) as runner:
        kinds = runner.run(knock(answers, remember_seconds=remember_seconds))
        dialled = runner.get_loop().dialled

    assert not any(is_blocked(ip_address(address)) for address in dialled)
    clean = [not any(is_blocked(ip_address(each)) for each in answer) for answer in answers]
    if remember_seconds == 0:
        assert kinds == [Kind.CONNECTION if is_clean else Kind.REFUSED for is_clean in clean]


def test_a_name_that_moves_inside_after_the_first_request_is_refused():
    with asyncio.Runner(loop_factory=Wire) as runner:
        kinds = runner.run(knock([["8.8.8.8"], ["127.0.0.1"]], remember_seconds=0))

        assert kinds == [Kind.CONNECTION, Kind.REFUSED]
        assert runner.get_loop().dialled == ["8.8.8.8"]


def test_a_name_that_moves_inside_while_it_is_remembered_changes_nothing():
    with asyncio.Runner(loop_factory=Wire) as runner:
        kinds = runner.run(knock([["8.8.8.8"], ["127.0.0.1"]], remember_seconds=10))

        assert kinds == [Kind.CONNECTION, Kind.CONNECTION]
        assert runner.get_loop().dialled == ["8.8.8.8", "8.8.8.8"]
