"""Which addresses an endpoint may have (behaviour 3.8, T29)."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.outbound.addresses import (
    BLOCKED_RANGES,
    is_blocked,
    is_blocked_name,
    vet,
)

# As the specification lists them.
SPECIFIED = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
    224.0.0.0/4 240.0.0.0/4 255.255.255.255/32
    ::/128 ::1/128 fc00::/7 fe80::/10 fec0::/10 ff00::/8 2001:db8::/32 2001:2::/48 2001:10::/28
    64:ff9b::/96 64:ff9b:1::/48 2002::/16
"""

NEIGHBOURS = """
    1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.0.3.0 192.88.98.255
    192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 203.0.114.0
    223.255.255.255 8.8.8.8 2606:4700::1111 2001:4860:4860::8888 2a00:1450::1
    2001:20::1 2001:db7:ffff::1 2001:db9::1 2003::1 2000::1
"""

BLOCKED_HOSTS = """
    localhost app.localhost a.b.localhost metadata.google.internal
    2130706433 017700000001 0x7f000001 0x7f.1 127.1 127.0.1 0177.0.0.1 0x7f.0x0.0x0.0x1
    127.0.0.0x1 256.256.256.256 1.2.3.4.5 08.08.08.08 0x 1.2.3.999999
"""


@pytest.mark.parametrize("block", SPECIFIED.split())
def test_the_first_and_the_last_address_of_a_range_are_blocked(block):
    network = ip_network(block)

    assert is_blocked(network[0])
    assert is_blocked(network[-1])


@pytest.mark.parametrize("address", NEIGHBOURS.split())
def test_the_neighbours_of_the_ranges_are_allowed(address):
    assert not is_blocked(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "fd00:ec2::254",
        "168.63.129.16",
        "fe80::1%eth0",
    ],
)
def test_no_disguise_of_an_address_passes(address):
    """IPv4 inside IPv6, and metadata services that live outside the usual ranges."""
    assert is_blocked(ip_address(address))


@given(st.sampled_from(BLOCKED_RANGES).flatmap(lambda block: st.ip_addresses(network=block)))
def test_every_address_of_a_blocked_range_is_blocked(address: IPv4Address | IPv6Address):
    assert is_blocked(address)
    assert vet([str(address)], allow_private=False) == ()


@pytest.mark.parametrize("host", BLOCKED_HOSTS.split())
def test_names_of_ours_and_numbers_in_disguise_are_blocked(host):
    """T29: octal, hexadecimal, dotless and shortened IPv4."""
    assert is_blocked_name(host)


@pytest.mark.parametrize(
    "host", ["example.com", "localhost.example.com", "notlocalhost", "1.example", "0x7f.io", "1e3"]
)
def test_other_names_are_allowed(host):
    assert not is_blocked_name(host)


def test_one_blocked_address_refuses_the_whole_host():
    assert vet(["8.8.8.8", "10.0.0.1"], allow_private=False) == ()


def test_an_answer_that_is_no_address_refuses_the_whole_host():
    assert vet(["8.8.8.8", "not an address"], allow_private=False) == ()


def test_public_addresses_pass_in_their_order():
    assert vet(["8.8.8.8", "2606:4700::1111"], allow_private=False) == (
        "8.8.8.8",
        "2606:4700::1111",
    )


def test_every_address_passes_where_private_ones_are_allowed():
    assert vet(["127.0.0.1", "10.0.0.1"], allow_private=True) == ("127.0.0.1", "10.0.0.1")
