"""Letting old runs go (behaviour 8.5, 8.6)."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from strait_server.base.clock import monotonic
from strait_server.base.db.connection import Connection
from strait_server.base.telemetry.instruments import Counter
from strait_server.work.queue import service as queue

_BEGINNING: Final = UUID(int=0)
_LOOK_AGAIN_SECONDS: Final = 600.0


class Retirement:
    """A walk through the runs from the oldest on, which deletes those that have had their time.

    It never waits for a row that must stay: it goes on behind it (T87), follows
    the runs that are just becoming old, and every ten minutes begins anew, for
    those it passed. Where it is, only this process knows; another one begins at the
    beginning, and finds little to do there.
    """

    def __init__(self, *, short: timedelta, long: timedelta, deleted: Counter) -> None:
        self._short = short
        self._long = long
        self._deleted = deleted
        self._after = _BEGINNING
        self._begun = monotonic()

    async def step(self, db: Connection) -> int:
        """Look at the next 5000 runs. Answers how many went; at the end, whether a month did."""
        deleted, last = await queue.retire(
            db, short=self._short, long=self._long, after=self._after
        )
        self._deleted.add(deleted, "run")
        if last is not None:
            self._after = last
            return max(deleted, 1)
        if monotonic() - self._begun > _LOOK_AGAIN_SECONDS:
            self._after = _BEGINNING
            self._begun = monotonic()
        return await queue.drop_spent_month(db, short=self._short, long=self._long)


async def ensure_months(db: Connection) -> int:
    """Make the partitions that will be needed. Nothing may ever land in the default ones (T93s)."""
    return await queue.ensure_months(db)
