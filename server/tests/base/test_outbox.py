"""Facts, told in order and at least once (design 5.5)."""

import asyncio

import pytest
import world
from msgspec import Struct

from strait_server.base import outbox
from strait_server.base.errors import Unavailable
from strait_server.base.facts import Fact
from strait_server.base.outbox import CHANNEL, Relay

DEADLINE = 10.0


class Happened(Fact, frozen=True, kw_only=True):
    """Something numbered has happened."""

    number: int


class Finished(Fact, frozen=True, kw_only=True):
    """Something else has."""

    name: str = ""


class Witness:
    """Somebody who reacts, and what they were told."""

    def __init__(self):
        self.told = []
        self.fails = 0

    async def react(self, db, fact):
        self.told.append(fact)
        if self.fails:
            self.fails -= 1
            raise ZeroDivisionError

    @property
    def numbers(self):
        return [fact.number for fact in self.told]


@pytest.fixture
def witness():
    return Witness()


@pytest.fixture
def relay(witness):
    return Relay({Happened: [witness.react]})


async def record(db, *numbers):
    async with db.transaction():
        for number in numbers:
            await outbox.record(db, Happened(number=number))


async def record_and_fail(db):
    async with db.transaction():
        await outbox.record(db, Happened(number=1))
        raise ZeroDivisionError


async def test_a_fact_is_told_as_it_was_recorded(db, database, relay, witness):
    await record(db, 1)

    assert await relay.step(db) == 1

    assert witness.told == [Happened(number=1)]
    assert await world.facts(db) == []


async def test_facts_are_told_in_order(db, database, relay, witness):
    await record(db, 1, 2)
    await record(db, 3)

    assert await relay.step(db) == 3

    assert witness.numbers == [1, 2, 3]


async def test_nothing_to_tell_is_nothing_done(db, database, relay):
    assert await relay.step(db) == 0


async def test_a_step_is_bounded(db, database, relay, witness):
    await record(db, *range(120))

    assert await relay.step(db) == 100
    assert await relay.step(db) == 20

    assert witness.numbers == list(range(120))


async def test_a_fact_is_told_only_if_its_change_was_committed(db, database, relay, witness):
    with pytest.raises(ZeroDivisionError):
        await record_and_fail(db)

    assert await relay.step(db) == 0
    assert witness.told == []


async def test_a_fact_waits_for_older_transactions(db, database, relay, witness):
    """Else what the older one records later would be overtaken, or never be seen."""
    async with database.connection() as older, older.transaction():
        await outbox.record(older, Happened(number=1))
        await record(db, 2)

        assert await relay.step(db) == 0

    assert await relay.step(db) == 2
    assert witness.numbers == [1, 2]


async def test_an_older_transaction_without_facts_delays_and_does_not_lose(
    db, database, relay, witness
):
    async with database.connection() as older, older.transaction():
        await older.raw.execute("select pg_current_xact_id()")
        await record(db, 1)

        assert await relay.step(db) == 0

        await outbox.record(older, Happened(number=2))

    assert await relay.step(db) == 2
    assert witness.numbers == [1, 2]


async def test_whoever_only_reads_delays_nothing(db, database, relay, witness):
    async with database.connection() as reader, reader.transaction():
        await reader.raw.execute("set transaction isolation level repeatable read")
        await reader.raw.fetchval("select 1")
        await record(db, 1)

        assert await relay.step(db) == 1


async def test_a_fact_is_told_again_when_a_reaction_fails(db, database, relay, witness):
    await record(db, 1, 2)
    witness.fails = 1

    with pytest.raises(ZeroDivisionError):
        await relay.step(db)
    assert await relay.step(db) == 2

    assert witness.numbers == [1, 1, 2]


async def test_what_a_reaction_wrote_goes_with_its_failure(db, database):
    async def write_and_fail(db, fact):
        await world.a_project(db)
        raise ZeroDivisionError

    await record(db, 1)

    with pytest.raises(ZeroDivisionError):
        await Relay({Happened: [write_and_fail]}).step(db)

    assert await world.count(db, "projects") == 0
    assert len(await world.facts(db)) == 1


async def test_a_fact_is_told_again_when_the_relay_dies_before_its_commit(db, database, witness):
    async def react_and_die(db, fact):
        await witness.react(db, fact)
        if len(witness.told) == 1:
            await db.raw.execute("select pg_terminate_backend(pg_backend_pid())")

    relay = Relay({Happened: [react_and_die]})
    await record(db, 1)

    with pytest.raises(Unavailable):
        async with database.connection() as dying:
            await relay.step(dying)
    assert await relay.step(db) == 1

    assert witness.numbers == [1, 1]


async def test_two_relays_tell_each_fact_once_and_none_overtakes(db, database, witness):
    """As when a leader hangs and another has taken over."""
    begun, may_go_on = asyncio.Event(), asyncio.Event()

    async def react_slowly(db, fact):
        begun.set()
        await may_go_on.wait()
        await witness.react(db, fact)

    relay = Relay({Happened: [react_slowly]})
    await record(db, *range(5))

    async with database.connection() as one, database.connection() as other:
        first = asyncio.create_task(relay.step(one))
        await begun.wait()
        second = asyncio.create_task(relay.step(other))
        done, _ = await asyncio.wait([second], timeout=0.2)
        assert not done
        may_go_on.set()
        async with asyncio.timeout(DEADLINE):
            assert await first + await second == 5

    assert sorted(witness.numbers) == [0, 1, 2, 3, 4]
    assert witness.numbers[0] == 0


async def test_everybody_who_reacts_is_told(db, database):
    one, other = Witness(), Witness()
    await record(db, 1)

    await Relay({Happened: [one.react, other.react], Finished: [other.react]}).step(db)

    assert one.numbers == other.numbers == [1]


async def test_a_fact_that_nobody_reacts_to_is_dropped(db, database, relay, witness):
    await outbox.record(db, Finished(name="x"))
    await record(db, 1)

    assert await relay.step(db) == 2

    assert witness.numbers == [1]
    assert await world.facts(db) == []


async def test_recording_wakes_who_listens_after_the_commit(db, database):
    heard = asyncio.Queue()
    raw = await database.dedicated()
    await raw.add_listener(CHANNEL, lambda *said: heard.put_nowait(said[-1]))

    async with db.transaction():
        await outbox.record(db, Happened(number=1))
        await raw.fetchval("select 1")
        assert heard.empty()

    async with asyncio.timeout(DEADLINE):
        await heard.get()
    await raw.close()


def test_a_fact_says_what_it_is_about_and_no_more():
    assert issubclass(Fact, Struct)
    assert Fact.__struct_fields__ == ()
