"""Where a request comes from, as far as we can believe it (behaviour 13.6, T111)."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from strait_server.base.settings.values import Network


class Proxies:
    """The proxies whose word about the client we take; nobody else's counts.

    The server in front of the application must not rewrite the peer on its own.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._trusts = lru_cache(maxsize=4096)(self._looks_trusted)

    def trusts(self, address: str) -> bool:
        return bool(self._networks) and self._trusts(address)

    def client(self, peer: str, forwarded_for: bytes | None) -> str:
        """Find the address of the client: the nearest one that is not a proxy of ours.

        What stands left of it in the header, anybody can have written.
        """
        if forwarded_for is None or not self.trusts(peer):
            return peer
        address = peer
        for hop in reversed(forwarded_for.decode("latin-1").split(",")):
            if not (named := _plain(hop)):
                break
            address = named
            if not self.trusts(address):
                break
        return address

    def _looks_trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)


def counted_as(address: str) -> str:
    """Whom a limit per address counts: an IPv6 customer has a whole /64 of them."""
    if ":" not in address:
        return address
    try:
        network = ipaddress.ip_network((address, 64), strict=False)
    except ValueError:
        return address
    return str(network)


def _plain(hop: str) -> str:
    """Take away the port and brackets some proxies add; empty if no address is left."""
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
