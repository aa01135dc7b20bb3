"""The client: one request in, one response or one error out."""

import asyncio
import ssl
from functools import partial

from msgspec import Struct

from strait_server.base import clock
from strait_server.base.outbound.connection import Connection
from strait_server.base.outbound.deadlines import Deadlines
from strait_server.base.outbound.dialer import Dialer, verified_tls
from strait_server.base.outbound.message import NO_LINES, Headers, Lines, encode
from strait_server.base.outbound.outcome import Kind, OutboundError, Response
from strait_server.base.outbound.pools import Limits, Pool, Pools
from strait_server.base.outbound.resolver import Resolver
from strait_server.base.outbound.urls import Origin, Target


class _Order(Struct, frozen=True):
    """One request and its bounds."""

    message: bytes
    deadline: float
    total_seconds: float
    connect_seconds: float
    max_body_bytes: int


class Client:
    """Sends requests to checked targets over connections it keeps (behaviour 3.2).

    It lives in one event loop and belongs to whoever made it, who closes it.
    """

    def __init__(
        self,
        resolver: Resolver,
        *,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._dialer = Dialer(resolver, tls or verified_tls())
        self._pools = Pools(limits or Limits())
        self._deadlines = Deadlines()
        self._open: set[Connection] = set()
        self._closed = False

    @property
    def open_connections(self) -> int:
        """How many connections there are, lent or idle."""
        return len(self._open)

    async def request(
        self,
        method: str,
        target: Target,
        *,
        headers: Headers,
        body: bytes,
        prepared: Lines = NO_LINES,
        total_seconds: float,
        connect_seconds: float,
        max_body_bytes: int,
    ) -> Response:
        """Send one request and read one response, whatever its status.

        `total_seconds` bounds everything: waiting for a turn, the lookup,
        connecting, and the answer to its last byte. `connect_seconds` bounds
        lookup, TCP and TLS within it. A kept connection may die at the moment
        we use it; if it did before the first byte of an answer, the request is
        sent once more on a new one. Nothing else is ever repeated. `prepared`
        are header lines that many requests share.

        Raises `OutboundError`. A canceled call hangs up.
        """
        order = _Order(
            message=encode(method, target, headers, body, prepared=prepared),
            deadline=clock.monotonic() + total_seconds,
            total_seconds=total_seconds,
            connect_seconds=connect_seconds,
            max_body_bytes=max_body_bytes,
        )
        pool = self._pools.enter(target.origin)
        try:
            if not pool.turns.take():
                await self._wait_for_turn(pool, order)
            try:
                return await self._send(pool, order)
            finally:
                pool.turns.release()
        finally:
            self._pools.leave(pool)

    async def close(self) -> None:
        """Hang up everything, and return when it is gone. What is under way fails."""
        self._closed = True
        self._pools.close()
        self._deadlines.close()
        for connection in tuple(self._open):
            connection.abort()
        if self._open:
            await asyncio.wait([connection.lost for connection in self._open])

    async def _wait_for_turn(self, pool: Pool, order: _Order) -> None:
        try:
            async with asyncio.timeout(order.total_seconds):
                await pool.turns.wait()
        except TimeoutError:
            text = f"no connection to {pool.origin} became free within {order.total_seconds:g} s"
            raise OutboundError(Kind.TIMEOUT, text) from None

    async def _send(self, pool: Pool, order: _Order) -> Response:
        connection = self._pools.take(pool)
        if connection is not None:
            try:
                return await self._exchange(pool, connection, order)
            except OutboundError as error:
                if error.kind is not Kind.CONNECTION or connection.answered:
                    raise
            # The others have been idle for longer: what closed this one closed them.
            self._pools.drop_idle(pool)
        return await self._exchange(pool, await self._dial(pool.origin, order), order)

    async def _exchange(self, pool: Pool, connection: Connection, order: _Order) -> Response:
        self._deadlines.add(connection, order.deadline, order.total_seconds)
        try:
            response = await connection.send(order.message, max_body_bytes=order.max_body_bytes)
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            self._deadlines.remove(connection)
        if connection.reusable:
            self._pools.keep(pool, connection)
        return response

    async def _dial(self, origin: Origin, order: _Order) -> Connection:
        if self._closed:
            raise OutboundError(Kind.CONNECTION, "the client is closed")
        left = order.deadline - clock.monotonic()
        try:
            async with asyncio.timeout(min(left, order.connect_seconds)):
                connection = await self._dialer.dial(origin)
        except TimeoutError:
            # An endpoint that cannot be reached is not one that works for too long.
            if left <= order.connect_seconds:
                kind, seconds = Kind.TIMEOUT, order.total_seconds
            else:
                kind, seconds = Kind.CONNECTION, order.connect_seconds
            text = f"cannot connect to {origin} within {seconds:g} s"
            raise OutboundError(kind, text) from None
        self._open.add(connection)
        connection.lost.add_done_callback(partial(self._forget, connection))
        if self._closed:  # meanwhile; what is sent on it now fails
            connection.abort()
        return connection

    def _forget(self, connection: Connection, _: asyncio.Future[None]) -> None:
        self._open.discard(connection)
        self._pools.forget(connection)
