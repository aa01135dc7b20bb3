"""Hearing what other processes say: LISTEN on a connection of its own.

Notifications may be lost while the connection is down, so whoever subscribes
also says what to do after a gap: drop the cache, look at the queue again.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from strait_server.base.db.database import Database
from strait_server.base.db.outage import FAILURES

_RETRY_SECONDS: Final = 1.0
_PROBE_SECONDS: Final = 10.0
_log = structlog.get_logger(__name__)


class Listener:
    """Channels and who hears them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._heard: dict[str, list[Callable[[str], None]]] = {}
        self._after_gap: list[Callable[[], None]] = []

    def subscribe(
        self, channel: str, heard: Callable[[str], None], *, after_gap: Callable[[], None]
    ) -> None:
        """Call `heard` with each payload of the channel, `after_gap` when some may be missing.

        To be called before `run`.
        """
        self._heard.setdefault(channel, []).append(heard)
        self._after_gap.append(after_gap)

    async def run(self) -> None:
        """Listen until cancelled, reconnecting after a second."""
        while True:
            try:
                await self._listen_until_lost()
                _log.warning("listening connection lost")
            except FAILURES as error:
                _log.warning("listening connection lost", error=str(error))
            await asyncio.sleep(_RETRY_SECONDS)

    async def _listen_until_lost(self) -> None:
        raw = await self._database.dedicated()
        lost = asyncio.Event()

        def hang_up(_connection: object) -> None:
            lost.set()

        raw.add_termination_listener(hang_up)
        try:
            for channel in self._heard:
                await raw.add_listener(channel, self._dispatch)
            for forget in self._after_gap:
                forget()
            while not await _within(_PROBE_SECONDS, lost):
                # A half-open connection says nothing; a question finds out.
                await raw.execute("select 1", timeout=_PROBE_SECONDS)
        finally:
            raw.terminate()

    def _dispatch(self, _raw: object, _pid: int, channel: str, payload: object) -> None:
        for heard in self._heard[channel]:
            heard(str(payload))


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Wait for the event so long. Answers whether it came."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
