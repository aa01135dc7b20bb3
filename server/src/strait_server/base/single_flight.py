"""Who asks for the same thing at once shares one answer."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Questions under way, by key. Nothing is remembered once it is answered."""

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def do(self, key: K, ask: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """Ask, or wait for whoever is asking already, and raise what that raises.

        Whoever is cancelled leaves the others their answer.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(ask())
            flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    def forget(self) -> None:
        """Let whoever comes from now on ask anew: the answer under way may be of before."""
        self._flights.clear()

    def _landed(self, key: K, flight: asyncio.Task[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # seen, also when everybody has left
