"""Which addresses an endpoint may have (behaviour 3.8, T29). Pure."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, NewType

Vetted = NewType("Vetted", str)
"""An address literal that passed `vet`. Nothing else is ever dialled."""

BLOCKED_RANGES: Final = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; a cloud's metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a cloud's metadata service, on a public address
        "169.254.0.0/16",  # link-local; most clouds' metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved
        "255.255.255.255/32",  # broadcast
        "::/96",  # unspecified, loopback, and IPv4 in its oldest disguise
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # local NAT64
        "100::/64",  # discard
        "2001::/32",  # Teredo: an IPv4 address inside
        "2001:2::/48",  # benchmarks
        "2001:10::/28",  # ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address inside
        "fc00::/7",  # unique local
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)

BLOCKED_NAMES: Final = frozenset({"localhost", "metadata.google.internal"})

_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def is_blocked(address: IPv4Address | IPv6Address) -> bool:
    """Say whether an address is inside our walls, or may lead there."""
    return any(address in block for block in BLOCKED_RANGES)


def is_blocked_name(host: str) -> bool:
    """Say whether a lower-case name is one of ours, or an address in disguise.

    A name whose last label is a number is read by the C library as an IPv4
    address: `2130706433`, `0x7f.1` and `0177.0.0.1` are all 127.0.0.1.
    """
    if host in BLOCKED_NAMES or host.endswith(".localhost"):
        return True
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Read an address in its canonical spelling; None when it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def vet(found: Sequence[str], *, allow_private: bool) -> tuple[Vetted, ...]:
    """Pass all addresses of a host, or none of them when any is blocked."""
    if not allow_private:
        for text in found:
            address = literal(text)
            if address is None or is_blocked(address):
                return ()
    return tuple(Vetted(text) for text in found)
