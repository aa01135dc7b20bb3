"""Group commit: what many callers ask at once is written as one statement.

The next flush starts when the previous one ends, so a batch is whatever came
in meanwhile: nobody waits for a timer, and nobody pays for a statement alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from strait_server.base.db.outage import is_outage
from strait_server.base.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")


class Coalescer(Generic[T, R]):
    """Collects items and has them written in batches, one batch at a time.

    `write` gets the items in order and answers one result for each; an answer
    may be an exception, which then is that caller's alone. It writes all or
    nothing: a batch that fails as a whole is written again in halves, until the
    bad items stand alone and cannot fail their neighbours. When the database is
    away, all fail at once.

    Who does not wait for an item is told by `refused` if it was not written.

    `revocable`: an item whose future was cancelled is left out, unless it is
    being written already.

    A batch has `limit` items at most, and so many that they `weigh` no more than
    `heaviest` together, so that no write takes long; or it is one item.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        refused: Callable[[T, Exception], None] | None = None,
        limit: int = 500,
        revocable: bool = False,
        weigh: Callable[[T], int] | None = None,
        heaviest: int = 0,
    ) -> None:
        self._write = write
        self._refused = refused
        self._limit = limit
        self._revocable = revocable
        self._weigh = weigh
        self._heaviest = heaviest
        self._waiting: list[tuple[T, asyncio.Future[R] | None]] = []
        self._writing: list[tuple[T, asyncio.Future[R] | None]] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    def __len__(self) -> int:
        """How many items are not written."""
        return len(self._waiting) + len(self._writing)

    def submit(self, item: T) -> asyncio.Future[R]:
        """Have `item` written with the next batch; the future resolves after its commit."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(Unavailable("the server is shutting down"))
            return future
        self._add(item, future)
        return future

    def put(self, item: T) -> None:
        """Have `item` written with the next batch, without waiting for it."""
        if self._closed:
            self._settle(item, None, Unavailable("the server is shutting down"))
        else:
            self._add(item, None)

    async def run(self) -> None:
        """Write batches until cancelled. One task, owned by the process's lifespan.

        Whoever still waits then hears `Unavailable`, also those whose batch was
        being written: nobody knows whether it was.
        """
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._flush()
                self._idle.set()
        finally:
            self._closed = True
            for item, future in (*self._writing, *self._waiting):
                self._settle(item, future, Unavailable("the server is shutting down"))
            self._idle.set()

    async def drain(self) -> None:
        """Wait until everything submitted so far is written."""
        await self._idle.wait()

    def _add(self, item: T, future: asyncio.Future[R] | None) -> None:
        self._waiting.append((item, future))
        if len(self._waiting) == 1:
            self._idle.clear()
            self._wake.set()

    async def _flush(self) -> None:
        count = self._next_count()
        self._writing = self._waiting[:count]
        del self._waiting[:count]
        if self._revocable:
            self._writing = [one for one in self._writing if not _is_revoked(one[1])]
        if self._writing:
            answers = await self._answers([item for item, _ in self._writing])
            for (item, future), answer in zip(self._writing, answers, strict=True):
                self._settle(item, future, answer)
        self._writing = []

    def _next_count(self) -> int:
        if self._weigh is None:
            return self._limit
        weight = 0
        for count, (item, _) in enumerate(self._waiting[: self._limit]):
            weight += self._weigh(item)
            if weight > self._heaviest and count:
                return count
        return self._limit

    async def _answers(self, items: Sequence[T]) -> Sequence[R | Exception]:
        try:
            return await self._write(items)
        except Exception as error:  # noqa: BLE001 - it belongs to the callers, who wait for it
            if is_outage(error):
                unavailable = Unavailable("the database does not answer")
                unavailable.__cause__ = error
                return [unavailable] * len(items)
            if len(items) == 1:
                return [error]
        half = len(items) // 2
        return [*await self._answers(items[:half]), *await self._answers(items[half:])]

    def _settle(self, item: T, future: asyncio.Future[R] | None, answer: R | Exception) -> None:
        if future is None:
            if isinstance(answer, Exception) and self._refused is not None:
                self._refused(item, answer)
        elif future.done():  # the caller has gone
            return
        elif isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def _is_revoked(future: asyncio.Future[R] | None) -> bool:
    return future is not None and future.cancelled()
