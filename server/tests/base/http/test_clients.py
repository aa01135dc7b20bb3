"""Where a request comes from (behaviour 13.6; T111)."""

from ipaddress import ip_network

import pytest

from strait_server.base.http.clients import Proxies

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])


@pytest.mark.parametrize("header", [None, b"198.51.100.7", b"10.0.0.9"])
def test_a_stranger_is_who_he_is_whatever_he_says(header):
    """T111."""
    assert PROXIES.client("203.0.113.5", header) == "203.0.113.5"
    assert Proxies([]).client("127.0.0.1", header) == "127.0.0.1"


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (b"198.51.100.7", "198.51.100.7"),
        (b"198.51.100.7, 10.1.1.1", "198.51.100.7"),
        (b"6.6.6.6, 198.51.100.7, 10.1.1.1", "198.51.100.7"),
        (b"10.1.1.1, 10.2.2.2", "10.1.1.1"),
        (b"198.51.100.7:4711", "198.51.100.7"),
        (b"[2001:db9::1]:4711", "2001:db9::1"),
        (b"2001:db9::1", "2001:db9::1"),
        (b"unknown", "10.0.0.1"),
        (b"198.51.100.7, nonsense", "10.0.0.1"),
        (b"", "10.0.0.1"),
        (None, "10.0.0.1"),
    ],
)
def test_a_proxy_of_ours_says_for_whom_it_asks(header, client):
    assert PROXIES.client("10.0.0.1", header) == client
