"""Recognising those who show a key (behaviour 13.1, 13.3)."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import world

from strait_server.base.db.listener import Listener
from strait_server.base.errors import Unauthorized, Unavailable
from strait_server.base.http.limits import Rate
from strait_server.tenancy.access.service import keys
from strait_server.tenancy.access.service.keyring import CHANNEL, Keyring

PAST = datetime(2026, 1, 1, tzinfo=UTC)
STRANGE = "strait_" + "0" * 64


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Counting:
    """A database that counts who asks it, and can be made to wait."""

    def __init__(self, db):
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        self._db = db

    @asynccontextmanager
    async def connection(self):
        self.asked += 1
        await self.open.wait()
        yield self._db


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def counting(db):
    return Counting(db)


@pytest.fixture
def keyring(counting, clock):
    return Keyring(counting, default_rate=Rate(1000, 60), clock=clock)


async def refusal(keyring, key):
    with pytest.raises(Unauthorized) as caught:
        await keyring.recognise(key)
    return str(caught.value)


async def test_a_key_means_its_project_and_its_scopes(db, keyring):
    made = await world.a_key(db, "jobs:read", "runs:read")

    actor = (await keyring.recognise(made.key)).actor

    assert actor.id == f"apikey:{made.id}"
    assert actor.type == "api_key"
    assert actor.project_id == world.PROJECT
    assert actor.scopes == {"jobs:read", "runs:read"}
    assert actor.key_id == made.id


async def test_a_key_without_scopes_opens_nothing(db, keyring):
    """T108."""
    made = await world.a_key(db)
    await world.change_key(db, made.id, scopes=[])

    actor = (await keyring.recognise(made.key)).actor

    assert not actor.may("jobs:read")


@pytest.mark.parametrize("text", ["strait_", "strait_nothex", STRANGE + "0", STRANGE.upper()])
async def test_what_does_not_look_like_a_key_costs_no_query(keyring, counting, text):
    assert await refusal(keyring, text) == "invalid api key"
    assert counting.asked == 0


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"revoked_at": PAST}, "api key has been revoked"),
        ({"expires_at": PAST}, "api key has expired"),
        ({"grace_expires_at": PAST}, "api key rotation grace period has ended"),
        ({"revoked_at": PAST, "expires_at": PAST}, "api key has been revoked"),
    ],
)
async def test_a_key_that_ended_says_why(db, keyring, columns, reason):
    made = await world.a_key(db)
    await world.change_key(db, made.id, **columns)

    assert await refusal(keyring, made.key) == reason


async def test_a_key_nobody_made_is_invalid(keyring):
    assert await refusal(keyring, STRANGE) == "invalid api key"


async def test_a_key_of_a_deleted_project_is_refused(db, keyring):
    made = await world.a_key(db)
    await db.raw.execute("update projects set deleted_at = now()")

    assert await refusal(keyring, made.key) == "api key has been revoked"


async def test_a_key_is_looked_up_once_in_ten_seconds(db, keyring, counting, clock):
    made = await world.a_key(db)
    for _ in range(5):
        await keyring.recognise(made.key)
    assert counting.asked == 1

    clock.now += 10
    await keyring.recognise(made.key)

    assert counting.asked == 2


async def test_a_key_is_not_remembered_past_its_end(db, keyring, clock):
    made = await world.a_key(db)
    soon = await db.raw.fetchval("select now() + interval '3 seconds'")
    await world.change_key(db, made.id, expires_at=soon)
    await keyring.recognise(made.key)
    await world.change_key(db, made.id, expires_at=PAST)

    clock.now += 3

    assert await refusal(keyring, made.key) == "api key has expired"


async def test_a_refusal_is_remembered_for_two_seconds(keyring, counting, clock):
    for _ in range(5):
        await refusal(keyring, STRANGE)
    assert counting.asked == 1

    clock.now += 2
    await refusal(keyring, STRANGE)

    assert counting.asked == 2


async def test_all_who_want_to_know_at_once_share_a_query(db, keyring, counting):
    made = await world.a_key(db)
    counting.open.clear()
    asking = [asyncio.create_task(keyring.recognise(made.key)) for _ in range(10)]
    await asyncio.sleep(0)
    counting.open.set()

    credentials = await asyncio.gather(*asking)

    assert counting.asked == 1
    assert {credential.actor.key_id for credential in credentials} == {made.id}


async def test_who_waited_for_one_that_gave_up_asks_himself(db, keyring, counting):
    made = await world.a_key(db)
    counting.open.clear()
    first = asyncio.create_task(keyring.recognise(made.key))
    second = asyncio.create_task(keyring.recognise(made.key))
    await asyncio.sleep(0)
    first.cancel()
    counting.open.set()

    assert (await second).actor.key_id == made.id
    assert counting.asked == 2


async def test_a_change_is_heard(db, keyring):
    made = await world.a_key(db)
    await keyring.recognise(made.key)
    await keys.revoke(db, world.PROJECT, made.id)
    key_hash = await db.raw.fetchval("select key_hash from api_keys")

    keyring.hear(f"key:{key_hash}")

    assert await refusal(keyring, made.key) == "api key has been revoked"


async def test_a_change_of_a_project_is_heard(db, keyring):
    made = await world.a_key(db)
    await keyring.recognise(made.key)
    await db.raw.execute("update projects set deleted_at = now()")

    keyring.hear(f"project:{world.PROJECT}")

    assert await refusal(keyring, made.key) == "api key has been revoked"


async def test_what_changed_while_we_asked_is_not_remembered(db, keyring, counting):
    """The answer may have been read before the change."""
    made = await world.a_key(db)
    counting.open.clear()
    asking = asyncio.create_task(keyring.recognise(made.key))
    await asyncio.sleep(0)
    keyring.hear("key:any")
    counting.open.set()
    await asking

    await keyring.recognise(made.key)

    assert counting.asked == 2


async def test_the_keys_remembered_are_bounded(db, counting, clock):
    keyring = Keyring(counting, default_rate=Rate(), remembered=2, clock=clock)
    made = [await world.a_key(db) for _ in range(3)]
    for key in made:
        await keyring.recognise(key.key)

    await keyring.recognise(made[0].key)

    assert counting.asked == 4


async def test_a_revoked_key_is_refused_everywhere_at_once(database, db):
    """Another process hears of it as soon as it is committed."""
    made = await world.a_key(db)
    keyring = Keyring(database, default_rate=Rate())
    listener = Listener(database)
    heard = asyncio.Event()
    listener.subscribe(CHANNEL, keyring.hear, after_gap=keyring.forget)
    listener.subscribe(CHANNEL, lambda _: heard.set(), after_gap=heard.set)
    listening = asyncio.create_task(listener.run())
    await asyncio.wait_for(heard.wait(), 10)
    heard.clear()
    await keyring.recognise(made.key)

    await keys.revoke(db, world.PROJECT, made.id)
    await asyncio.wait_for(heard.wait(), 10)

    assert await refusal(keyring, made.key) == "api key has been revoked"
    listening.cancel()
    await asyncio.wait([listening])


async def test_use_is_written_down_in_batches(db, keyring):
    made = await world.a_key(db)
    await keyring.recognise(made.key)
    await keyring.recognise(made.key)

    assert await keyring.touch_used_keys(db) == 1
    assert await keyring.touch_used_keys(db) == 0
    assert await db.raw.fetchval("select last_used_at from api_keys") is not None


@pytest.mark.parametrize(
    ("key", "quota", "rate", "bucket"),
    [
        ({}, None, Rate(1000, 60), "key"),
        ({}, (20, 5), Rate(20, 5), "project"),
        ({"rate_limit_requests": 7, "rate_limit_window_secs": 3}, (20, 5), Rate(7, 3), "key"),
        ({"rate_limit_requests": 7}, None, Rate(1000, 60), "key"),
    ],
)
async def test_a_key_has_its_own_limit_or_its_projects_or_the_usual(
    db, keyring, key, quota, rate, bucket
):
    """Behaviour 13.6."""
    made = await world.a_key(db, **key)
    if quota:
        await db.raw.execute(
            "insert into project_quotas (project_id, rate_limit_requests, rate_limit_window_secs) "
            "values ($1, $2, $3)",
            world.PROJECT,
            *quota,
        )

    credential = await keyring.recognise(made.key)

    assert credential.rate == rate
    assert credential.bucket.startswith(bucket)


async def test_without_a_database_a_known_key_goes_on_for_a_while(db, keyring, counting, clock):
    made = await world.a_key(db)
    await keyring.recognise(made.key)

    @asynccontextmanager
    async def away():
        raise Unavailable("the database does not answer")
        yield

    counting.connection = away

    await keyring.recognise(made.key)
    clock.now += timedelta(seconds=11).total_seconds()
    with pytest.raises(Unavailable):
        await keyring.recognise(made.key)
