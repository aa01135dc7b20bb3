"""Group commit (design 5.1): one statement for many, and nobody suffers from his neighbours."""

import asyncio

import asyncpg
import pytest

from strait_server.base.db.coalescer import Coalescer
from strait_server.base.errors import Unavailable

DEADLINE = 5.0
AWAY = ConnectionRefusedError()


class Ledger:
    """A place that is written to in batches, and may be slow, picky or away."""

    def __init__(self, *, bad=(), away=False):
        self.bad = set(bad)
        self.away = away
        self.batches = []
        self.tries = 0
        self.begun = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    @property
    def written(self):
        return [item for batch in self.batches for item in batch]

    async def write(self, items):
        self.tries += 1
        self.begun.set()
        await self.may_go_on.wait()
        if self.away:
            raise AWAY
        if self.bad.intersection(items):
            raise asyncpg.CheckViolationError("not this one")
        self.batches.append(list(items))
        return [item * 10 for item in items]


@pytest.fixture
async def start():
    """Start coalescers, and stop them at the end."""
    running = []

    def start(ledger, **options):
        coalescer = Coalescer(ledger.write, **options)
        running.append(asyncio.create_task(coalescer.run()))
        coalescer.task = running[-1]
        return coalescer

    yield start
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def answers(*futures):
    async with asyncio.timeout(DEADLINE):
        return await asyncio.gather(*futures, return_exceptions=True)


async def stopped(task):
    task.cancel()
    async with asyncio.timeout(DEADLINE):
        await asyncio.wait([task])


async def test_what_comes_at_once_is_written_at_once(start):
    ledger = Ledger()
    coalescer = start(ledger)

    got = await answers(*map(coalescer.submit, range(5)))

    assert got == [0, 10, 20, 30, 40]
    assert ledger.batches == [[0, 1, 2, 3, 4]]


async def test_what_comes_meanwhile_is_the_next_batch(start):
    ledger = Ledger()
    coalescer = start(ledger)
    ledger.may_go_on.clear()
    first = coalescer.submit(1)
    await ledger.begun.wait()
    rest = [coalescer.submit(item) for item in (2, 3)]

    assert len(coalescer) == 3
    ledger.may_go_on.set()

    assert await answers(first, *rest) == [10, 20, 30]
    assert ledger.batches == [[1], [2, 3]]
    assert len(coalescer) == 0


async def test_a_batch_is_no_larger_than_its_limit(start):
    ledger = Ledger()
    coalescer = start(ledger, limit=2)

    await answers(*map(coalescer.submit, range(5)))

    assert ledger.batches == [[0, 1], [2, 3], [4]]


async def test_a_batch_is_no_heavier_than_it_may_be(start):
    ledger = Ledger()
    coalescer = start(ledger, limit=3, weigh=lambda item: item, heaviest=5)

    await answers(*map(coalescer.submit, (1, 4, 1, 9, 2, 1, 1, 1)))

    assert ledger.batches == [[1, 4], [1], [9], [2, 1, 1], [1]]


@pytest.mark.parametrize("bad", [{0}, {6}, {3, 4}, {0, 1, 2, 3, 4, 5, 6}])
async def test_a_bad_item_fails_alone(start, bad):
    ledger = Ledger(bad=bad)
    coalescer = start(ledger)

    got = await answers(*map(coalescer.submit, range(7)))

    assert {item for item in range(7) if isinstance(got[item], asyncpg.CheckViolationError)} == bad
    assert ledger.written == [item for item in range(7) if item not in bad]


async def test_one_bad_item_costs_few_writes_more(start):
    ledger = Ledger(bad={123})
    coalescer = start(ledger)

    await answers(*map(coalescer.submit, range(500)))

    assert len(ledger.written) == 499
    assert ledger.tries < 20


async def test_an_answer_may_be_a_failure_of_one(start):
    async def write(items):
        return [ValueError("odd") if item % 2 else item for item in items]

    ledger = Ledger()
    ledger.write = write
    coalescer = start(ledger)

    got = await answers(*map(coalescer.submit, range(3)))

    assert [type(answer) for answer in got] == [int, ValueError, int]


async def test_when_the_database_is_away_all_fail_at_once(start):
    ledger = Ledger(away=True)
    coalescer = start(ledger)

    got = await answers(*map(coalescer.submit, range(100)))

    assert all(isinstance(answer, Unavailable) for answer in got)
    assert got[0].__cause__ is AWAY
    assert ledger.tries == 1


async def test_it_goes_on_after_an_outage(start):
    ledger = Ledger(away=True)
    coalescer = start(ledger)
    await answers(coalescer.submit(1))

    ledger.away = False

    assert await answers(coalescer.submit(2)) == [20]


async def test_an_argument_that_cannot_be_encoded_is_no_outage(start, raw):
    """Else one bad item would fail all its neighbours."""

    async def write(items):
        return await raw.fetch("select unnest($1::smallint[])", list(items))

    ledger = Ledger()
    ledger.write = write
    coalescer = start(ledger)

    got = await answers(*map(coalescer.submit, (1, 2, 99_999_999)))

    assert [isinstance(answer, Exception) for answer in got] == [False, False, True]
    assert not isinstance(got[2], Unavailable)


async def test_whoever_waits_is_told_when_it_stops(start):
    """Also those who are being written: nobody is left waiting."""
    ledger = Ledger()
    coalescer = start(ledger)
    ledger.may_go_on.clear()
    written = coalescer.submit(1)
    await ledger.begun.wait()
    waiting = coalescer.submit(2)

    await stopped(coalescer.task)

    late = coalescer.submit(3)
    got = await answers(written, waiting, late)
    assert [str(answer) for answer in got] == ["the server is shutting down"] * 3
    assert all(isinstance(answer, Unavailable) for answer in got)
    assert coalescer.task.cancelled()


async def test_draining_waits_until_all_is_written(start):
    ledger = Ledger()
    coalescer = start(ledger, limit=1)
    futures = [coalescer.submit(item) for item in range(3)]

    async with asyncio.timeout(DEADLINE):
        await coalescer.drain()

    assert ledger.written == [0, 1, 2]
    assert all(future.done() for future in futures)


async def test_nothing_to_drain_is_drained(start):
    coalescer = start(Ledger())

    async with asyncio.timeout(DEADLINE):
        await coalescer.drain()


async def test_draining_ends_when_it_stops(start):
    ledger = Ledger()
    coalescer = start(ledger)
    ledger.may_go_on.clear()
    future = coalescer.submit(1)
    draining = asyncio.create_task(coalescer.drain())
    await ledger.begun.wait()

    await stopped(coalescer.task)

    await answers(draining, future)
    assert draining.done()


@pytest.mark.parametrize(("revocable", "written"), [(True, [1, 3]), (False, [1, 2, 3])])
async def test_whoever_went_away_is_left_out_where_that_is_asked_for(start, revocable, written):
    ledger = Ledger()
    coalescer = start(ledger, revocable=revocable)
    ledger.may_go_on.clear()
    first = coalescer.submit(1)
    await ledger.begun.wait()
    gone, last = coalescer.submit(2), coalescer.submit(3)

    gone.cancel()
    ledger.may_go_on.set()

    await answers(first, last)
    assert ledger.written == written


async def test_when_all_went_away_there_is_nothing_to_write(start):
    ledger = Ledger()
    coalescer = start(ledger, revocable=True)
    coalescer.submit(1).cancel()

    async with asyncio.timeout(DEADLINE):
        await coalescer.drain()

    assert ledger.tries == 0


async def test_whoever_went_away_while_being_written_disturbs_nobody(start):
    ledger = Ledger()
    coalescer = start(ledger, revocable=True)
    ledger.may_go_on.clear()
    gone, other = coalescer.submit(1), coalescer.submit(2)
    await ledger.begun.wait()

    gone.cancel()
    ledger.may_go_on.set()

    assert await answers(other) == [20]
    assert ledger.batches == [[1, 2]]


async def test_whoever_does_not_wait_is_told_only_of_what_was_not_written(start):
    told = []
    ledger = Ledger(bad={2})
    coalescer = start(ledger, refused=lambda item, error: told.append((item, type(error))))

    for item in range(4):
        coalescer.put(item)
    async with asyncio.timeout(DEADLINE):
        await coalescer.drain()

    assert sorted(ledger.written) == [0, 1, 3]
    assert told == [(2, asyncpg.CheckViolationError)]


async def test_what_is_put_in_place_of_a_refused_item_is_written_before_all_is_at_rest(start):
    ledger = Ledger(bad={2})
    coalescer = start(ledger, refused=lambda item, error: coalescer.put(item * 100))

    coalescer.put(2)
    async with asyncio.timeout(DEADLINE):
        await coalescer.drain()

    assert ledger.written == [200]


async def test_nothing_that_was_put_is_forgotten_at_the_end(start):
    told = []
    ledger = Ledger()
    ledger.may_go_on.clear()
    coalescer = start(ledger, refused=lambda item, error: told.append((item, type(error))))
    coalescer.put(1)
    await ledger.begun.wait()
    coalescer.put(2)

    await stopped(coalescer.task)
    coalescer.put(3)

    assert told == [(1, Unavailable), (2, Unavailable), (3, Unavailable)]
