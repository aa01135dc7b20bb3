"""From a host to the addresses we may dial (behaviour 3.8, api 11.5, T29)."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

from strait_server.base.errors import Invalid
from strait_server.base.outbound import urls
from strait_server.base.outbound.outcome import Kind, OutboundError
from strait_server.base.outbound.resolver import Resolver, system_lookup
from strait_server.base.outbound.urls import EndpointPolicy

STRICT = EndpointPolicy()
PRIVATE = EndpointPolicy(allow_private=True)
URL = "https://endpoint.example/hook"
ORIGIN = urls.parse(URL, STRICT).origin


@contextmanager
def resolver_that(lookup, **options):
    resolver = Resolver(lookup, **options)
    yield resolver
    resolver.close()


def missing(_host):
    raise OSError("no such host")


async def test_a_name_becomes_its_public_addresses():
    with resolver_that(lambda _host: ["8.8.8.8", "2606:4700::1111"]) as resolver:
        assert await resolver.resolve(ORIGIN) == ("8.8.8.8", "2606:4700::1111")


async def test_a_name_with_one_blocked_address_is_refused():
    answer = ["8.8.8.8", "169.254.169.254"]

    with resolver_that(lambda _host: answer) as resolver, pytest.raises(OutboundError) as caught:
        await resolver.resolve(ORIGIN)

    assert caught.value.kind is Kind.REFUSED
    assert "169.254" not in caught.value.message


@pytest.mark.parametrize("lookup", [missing, lambda _host: []])
async def test_a_name_without_addresses_is_a_connection_error(lookup):
    with resolver_that(lookup) as resolver, pytest.raises(OutboundError) as caught:
        await resolver.resolve(ORIGIN)

    assert caught.value.kind is Kind.CONNECTION
    assert caught.value.message == "host endpoint.example cannot be found"


async def test_an_address_is_not_looked_up():
    with resolver_that(missing) as resolver:
        origin = urls.parse("http://[2606:4700::1111]/", STRICT).origin

        assert await resolver.resolve(origin) == ("2606:4700::1111",)


async def test_an_answer_is_remembered_and_checked_each_time():
    asked = []

    def lookup(host):
        asked.append(host)
        return ["127.0.0.1"]

    lenient = urls.parse(URL, PRIVATE).origin
    with resolver_that(lookup) as resolver:
        await resolver.resolve(lenient)
        await resolver.resolve(lenient)
        with pytest.raises(OutboundError):
            await resolver.resolve(ORIGIN)

    assert asked == ["endpoint.example"]


@pytest.mark.parametrize("failure", [OSError("try again"), []])
async def test_a_failure_is_not_remembered(failure):
    answers = iter([failure, failure, ["8.8.8.8"]])

    def lookup(_host):
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    with resolver_that(lookup) as resolver:
        for _ in range(2):
            with pytest.raises(OutboundError) as caught:
                await resolver.resolve(ORIGIN)
            assert caught.value.kind is Kind.CONNECTION

        assert await resolver.resolve(ORIGIN) == ("8.8.8.8",)


async def test_many_who_ask_for_one_host_ask_once_and_may_leave():
    asked = []
    may_answer = threading.Event()

    def lookup(host):
        asked.append(host)
        may_answer.wait(10)
        return ["8.8.8.8"]

    with resolver_that(lookup) as resolver:
        askers = [asyncio.create_task(resolver.resolve(ORIGIN)) for _ in range(20)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolver.resolve(ORIGIN), 0.01)
        may_answer.set()

        assert await asyncio.gather(*askers) == [("8.8.8.8",)] * 20
    assert asked == ["endpoint.example"]


async def test_a_hanging_lookup_does_not_delay_another():
    may_answer = threading.Event()

    def lookup(host):
        if host == "endpoint.example":
            may_answer.wait(10)
        return ["8.8.8.8"]

    other = urls.parse("https://other.example/", STRICT).origin
    with resolver_that(lookup) as resolver:
        hanging = asyncio.create_task(resolver.resolve(ORIGIN))

        assert await resolver.resolve(other) == ("8.8.8.8",)
        assert not hanging.done()
        may_answer.set()
        await hanging


async def test_a_resolver_remembers_the_last_thousand_hosts():
    with resolver_that(lambda _host: ["8.8.8.8"]) as resolver:
        for number in range(1_100):
            await resolver.resolve(urls.parse(f"http://h{number}.example/", STRICT).origin)

        assert len(resolver._known) == 1024
        assert resolver._lookups._flights == {}


async def test_a_url_is_stored_when_its_host_is_public():
    with resolver_that(lambda _host: ["8.8.8.8"]) as resolver:
        target = await resolver.check_url(URL, STRICT)

    assert target.origin == ORIGIN


@pytest.mark.parametrize(
    ("lookup", "reason"),
    [
        (lambda _host: ["10.0.0.1"], "host is not allowed"),
        (lambda _host: ["::ffff:10.0.0.1"], "host is not allowed"),
        (missing, "host cannot be resolved"),
    ],
)
async def test_a_url_is_not_stored_when_its_host_is_inside_or_unknown(lookup, reason):
    with resolver_that(lookup) as resolver, pytest.raises(Invalid) as caught:
        await resolver.check_url(URL, STRICT, field="fallback_endpoint_url")

    assert caught.value.message == f"invalid fallback_endpoint_url: {reason}"


async def test_a_url_is_not_stored_when_the_lookup_takes_too_long():
    may_answer = threading.Event()

    with resolver_that(lambda _host: [str(may_answer.wait(10))]) as resolver:
        with pytest.raises(Invalid, match="host cannot be resolved"):
            await resolver.check_url(URL, STRICT, seconds=0.01)
        may_answer.set()


async def test_where_private_endpoints_are_allowed_nothing_is_looked_up():
    with resolver_that(missing) as resolver:
        target = await resolver.check_url(URL, PRIVATE)

    assert target.origin.host == "endpoint.example"


def test_the_system_knows_this_machine():
    assert "127.0.0.1" in system_lookup("localhost")
