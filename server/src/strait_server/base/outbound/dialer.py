"""Opening connections: to checked addresses only, verified where there is TLS."""

import asyncio
import os
import ssl
from collections import deque
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Final

from strait_server.base import clock
from strait_server.base.outbound.addresses import Vetted
from strait_server.base.outbound.connection import Connection
from strait_server.base.outbound.outbox import Outbox
from strait_server.base.outbound.outcome import Kind, OutboundError
from strait_server.base.outbound.resolver import Resolver
from strait_server.base.outbound.urls import Origin

_HEAD_START: Final = 0.25  # seconds an address has before the next is tried (RFC 8305)
_MAX_ADDRESSES: Final = 8  # a name must not make us knock on a thousand doors


def verified_tls() -> ssl.SSLContext:
    """Build the context of all outbound TLS: system authorities, TLS 1.2 or newer."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class Dialer:
    """Connects to an origin. The caller sets the deadline."""

    def __init__(self, resolver: Resolver, tls: ssl.SSLContext) -> None:
        self._resolver = resolver
        self._tls = tls
        self._outbox = Outbox()

    async def dial(self, origin: Origin) -> Connection:
        """Connect to the first address of an origin that answers.

        Raises `OutboundError`: refused by policy, or connection.
        """
        addresses = await self._resolver.resolve(origin)
        begun = clock.monotonic()
        try:
            connection = await self._race(origin, alternate(addresses))
        except OSError as error:
            text = f"cannot connect to {origin}: {_reason(error)}"
            raise OutboundError(Kind.CONNECTION, text) from error
        connection.dialled(clock.monotonic() - begun)
        return connection

    async def _race(self, origin: Origin, addresses: Sequence[Vetted]) -> Connection:
        """Try the addresses in order, the next when one fails or is slow; first come wins."""
        untried = deque(addresses)
        racing: set[asyncio.Task[Connection]] = set()
        failures: list[BaseException] = []
        try:
            while untried or racing:
                if untried:
                    racing.add(asyncio.create_task(self._connect(origin, untried.popleft())))
                done, racing = await asyncio.wait(
                    racing,
                    timeout=_HEAD_START if untried else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                failures += [error for task in done if (error := task.exception()) is not None]
                if winners := [task.result() for task in done if task.exception() is None]:
                    winner, *late = winners
                    _hang_up(late)
                    return winner
            raise failures[0]
        finally:
            for task in racing:
                task.cancel()
            _hang_up(await asyncio.gather(*racing, return_exceptions=True))

    async def _connect(self, origin: Origin, address: Vetted) -> Connection:
        loop = asyncio.get_running_loop()
        secure = origin.scheme == "https"
        _, connection = await loop.create_connection(
            lambda: Connection(str(origin), self._outbox),
            address,
            origin.port,
            ssl=self._tls if secure else None,
            server_hostname=origin.host if secure else None,
        )
        return connection


def alternate(addresses: Sequence[Vetted]) -> list[Vetted]:
    """Take turns between the families, the first one first, so that neither hides the other."""
    six = [address for address in addresses if ":" in address]
    four = [address for address in addresses if ":" not in address]
    turns = zip_longest(six, four) if addresses[0] in six else zip_longest(four, six)
    return [address for address in chain.from_iterable(turns) if address][:_MAX_ADDRESSES]


def _hang_up(outcomes: Sequence[Connection | BaseException]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Connection):
            outcome.abort()


def _reason(error: OSError) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate is not valid: {error.verify_message.rstrip('.')}"
        case ssl.SSLError():
            return "the TLS handshake failed"
        case _ if error.errno:
            return os.strerror(error.errno).lower()
        case _:
            return "the connection was lost"
