"""The ends of the exchanges under way, watched by one timer.

Nearly every exchange is over long before its time is, and a timer of its own
would cost more than writing the request.
"""

import asyncio
import math
from typing import Final

from strait_server.base import clock
from strait_server.base.outbound.connection import Connection

_SOONEST: Final = 0.001


class Deadlines:
    """Which connections must have their answer by when."""

    def __init__(self) -> None:
        self._by_connection: dict[Connection, tuple[float, float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = math.inf

    def add(self, connection: Connection, deadline: float, seconds: float) -> None:
        """Watch an exchange until `remove`. It expires at `deadline`, after so many seconds."""
        self._by_connection[connection] = deadline, seconds
        if deadline < self._looks_at:
            self._look_at(deadline)

    def remove(self, connection: Connection) -> None:
        self._by_connection.pop(connection, None)

    def close(self) -> None:
        """Watch no more."""
        self._by_connection.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _look_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = at
        # The loop's clock is coarser than ours: who comes a little early looks again.
        left = max(at - clock.monotonic(), _SOONEST)
        self._timer = asyncio.get_running_loop().call_later(left, self._look)

    def _look(self) -> None:
        """Expire those whose time is over, and come back for the next."""
        self._timer, self._looks_at = None, math.inf
        now = clock.monotonic()
        over = [(one, by[1]) for one, by in self._by_connection.items() if by[0] <= now]
        for connection, seconds in over:
            del self._by_connection[connection]
            connection.expire(seconds)
        if self._by_connection:
            self._look_at(min(deadline for deadline, _ in self._by_connection.values()))
