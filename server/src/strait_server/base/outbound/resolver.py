"""From a host to the addresses we may dial, or none (behaviour 3.8, T29)."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from strait_server.base import clock
from strait_server.base.errors import Invalid
from strait_server.base.outbound import urls
from strait_server.base.outbound.addresses import Vetted, literal, vet
from strait_server.base.outbound.outcome import Kind, OutboundError
from strait_server.base.outbound.urls import EndpointPolicy, Origin, Target
from strait_server.base.single_flight import SingleFlight

Lookup = Callable[[str], Sequence[str]]
"""Ask the name service; blocks; raises `OSError` when there is no answer."""

_THREADS: Final = 16
_MAX_REMEMBERED: Final = 1024


def system_lookup(host: str) -> list[str]:
    """Ask the C library."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(address[0]) for *_, address in found]


class Resolver:
    """Looks hosts up and checks what comes back, every time it is asked.

    Lookups run on threads of its own: a name server that hangs delays other
    lookups at worst, and one host occupies one thread however many ask for
    it. An answer is remembered for a few seconds. That is safe, because what
    is handed out are the very addresses that were checked: whoever changes
    the name afterwards changes nothing.
    """

    def __init__(self, lookup: Lookup = system_lookup, *, remember_seconds: float = 10.0) -> None:
        self._lookup = lookup
        self._remember_seconds = remember_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lookup")
        self._lookups: SingleFlight[str, Sequence[str]] = SingleFlight()
        self._known: dict[str, tuple[float, Sequence[str]]] = {}

    async def resolve(self, origin: Origin) -> tuple[Vetted, ...]:
        """Answer the addresses of an origin, at least one.

        Raises `OutboundError`: refused when any of them is blocked, connection
        when there are none. The caller sets the deadline.
        """
        is_literal = literal(origin.host) is not None
        found = [origin.host] if is_literal else await self._find(origin.host)
        vetted = vet(found, allow_private=origin.allow_private)
        if not vetted:
            raise OutboundError(Kind.REFUSED, f"{origin} is at an address that is not allowed")
        return vetted

    async def check_url(
        self, url: str, policy: EndpointPolicy, *, field: str = "url", seconds: float = 5.0
    ) -> Target:
        """Check a URL before it is stored: its text and what its host resolves to.

        Raises `Invalid`, also when the lookup fails. Where private endpoints
        are allowed there is nothing to look up.
        """
        target = urls.parse(url, policy, field=field)
        if policy.allow_private:
            return target
        try:
            async with asyncio.timeout(seconds):
                await self.resolve(target.origin)
        except TimeoutError:
            raise Invalid(f"invalid {field}: host cannot be resolved") from None
        except OutboundError as error:
            refused = error.kind is Kind.REFUSED
            reason = "host is not allowed" if refused else "host cannot be resolved"
            raise Invalid(f"invalid {field}: {reason}") from None
        return target

    def close(self) -> None:
        """Start no further lookups."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _find(self, host: str) -> Sequence[str]:
        until, known = self._known.get(host, (0.0, ()))
        if clock.monotonic() < until:
            return known
        found = await self._lookups.do(host, partial(self._ask, host))
        if not found:
            raise OutboundError(Kind.CONNECTION, f"host {host} cannot be found")
        return found

    async def _ask(self, host: str) -> Sequence[str]:
        """Look a host up. Only an answer with addresses is remembered, an error is none."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._lookup, host)
        except OSError:
            return ()
        self._known.pop(host, None)
        if not found:
            return found
        if len(self._known) >= _MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[host] = (clock.monotonic() + self._remember_seconds, found)
        return found
