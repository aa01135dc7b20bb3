"""Hearing what other processes say (design 5.1; trap T127)."""

import asyncio

import pytest

from strait_server.base.db.listener import Listener

DEADLINE = 10.0


class Ear:
    """Somebody who subscribed, and what came to them."""

    def __init__(self, listener, *channels):
        self.heard = []
        self.gaps = 0
        self._news = asyncio.Event()
        for channel in channels:
            listener.subscribe(channel, self.hear, after_gap=self.notice)

    def hear(self, payload):
        self.heard.append(payload)
        self._news.set()

    def notice(self):
        self.gaps += 1
        self._news.set()

    async def until(self, condition):
        async with asyncio.timeout(DEADLINE):
            while not condition(self):
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def listen(database):
    """Let listeners listen, and stop them at the end."""
    running = []

    async def listen(*channels):
        listener = Listener(database)
        ear = Ear(listener, *channels)
        running.append(asyncio.create_task(listener.run()))
        await ear.until(lambda ear: ear.gaps)
        return ear

    yield listen
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def hang_up(db):
    """Cut everybody's connection but one's own."""
    await db.raw.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


async def say(db, channel, payload):
    await db.raw.execute("select pg_notify($1, $2)", channel, payload)


async def test_what_is_said_on_a_channel_is_heard_in_order(db, listen):
    ear = await listen("news")

    for payload in ("one", "two", ""):
        await say(db, "news", payload)

    await ear.until(lambda ear: len(ear.heard) == 3)
    assert ear.heard == ["one", "two", ""]


async def test_what_is_said_elsewhere_is_not(db, listen):
    ear = await listen("news")

    await say(db, "gossip", "psst")
    await say(db, "news", "one")

    await ear.until(lambda ear: ear.heard)
    assert ear.heard == ["one"]


async def test_several_may_hear_one_channel(db, database):
    listener = Listener(database)
    ears = [Ear(listener, "news"), Ear(listener, "news")]
    running = asyncio.create_task(listener.run())
    for ear in ears:
        await ear.until(lambda ear: ear.gaps)

    await say(db, "news", "one")

    for ear in ears:
        await ear.until(lambda ear: ear.heard == ["one"])
    running.cancel()
    await asyncio.wait([running])


async def test_whoever_begins_to_listen_may_have_missed_something(listen):
    assert (await listen("news")).gaps == 1


async def test_a_gap_is_noticed_when_the_connection_is_back(db, listen):
    """T127: at once, not at the next probe."""
    ear = await listen("news")

    await hang_up(db)

    await ear.until(lambda ear: ear.gaps == 2)
    await say(db, "news", "one")
    await ear.until(lambda ear: ear.heard == ["one"])


async def test_it_comes_back_after_an_outage(db, postgres, listen):
    ear = await listen("news")
    name = await db.raw.fetchval("select current_database()")

    await postgres.refuse(name)
    await postgres.allow(name)

    await ear.until(lambda ear: ear.gaps == 2)


async def test_a_listener_that_stops_leaves_no_connection(db, database):
    listener = Listener(database)
    ear = Ear(listener, "news")
    running = asyncio.create_task(listener.run())
    await ear.until(lambda ear: ear.gaps)

    running.cancel()
    await asyncio.wait([running])

    async with asyncio.timeout(DEADLINE):
        while await _others(db):
            await asyncio.sleep(0.01)


async def _others(db):
    return await db.raw.fetchval(
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
