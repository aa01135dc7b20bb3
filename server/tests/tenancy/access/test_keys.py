"""Making, replacing and revoking API keys (behaviour 13.3)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import world

from strait_server.base.crypto import keys as crypto
from strait_server.base.errors import Conflict, Forbidden, NotFound
from strait_server.base.http.pages import PageRequest, read_page
from strait_server.tenancy.access import store
from strait_server.tenancy.access.model import NewKey
from strait_server.tenancy.access.service import keys


async def the_key(db, key_id):
    return await store.lock(db, None, key_id)


async def test_a_key_is_shown_once_and_kept_as_a_hash(db):
    made = await world.a_key(db)

    assert crypto.is_key(made.key)
    assert made.key_prefix == made.key[:12]
    row = await db.raw.fetchrow("select * from api_keys where id = $1", made.id)
    assert row["key_hash"] == crypto.hashed(made.key)
    assert made.key not in str(dict(row))


async def test_a_key_knows_its_maker_and_its_end(db):
    maker = world.an_actor()
    await world.a_project(db)

    made = await keys.create(
        db, maker, NewKey(project_id=world.PROJECT, name="ci", expires_in_days=30)
    )

    row = await the_key(db, made.id)
    assert row.created_by == maker.id
    assert made.expires_at == row.created_at + timedelta(days=30)


async def test_a_key_needs_a_project_that_is_there(db):
    with pytest.raises(NotFound, match="project not found"):
        await keys.create(db, world.an_actor(), NewKey(project_id="nowhere", name="ci"))


async def test_a_key_needs_a_project_that_is_not_deleted(db):
    await world.a_project(db)
    await db.raw.execute("update projects set deleted_at = now()")

    with pytest.raises(NotFound):
        await keys.create(db, world.an_actor(), NewKey(project_id=world.PROJECT, name="ci"))


async def test_paging_over_keys_of_one_moment_shows_each_once(db):
    """T94: within one transaction all have the same time."""
    made = {(await world.a_key(db)).id for _ in range(7)}
    seen, cursor = [], None
    while True:
        page = await keys.list_keys(db, world.PROJECT, read_page("3", cursor))
        seen += [key.id for key in page.data]
        if not page.has_more:
            break
        cursor = page.next_cursor

    assert len(seen) == 7
    assert set(seen) == made


async def test_the_list_shows_keys_that_no_longer_work(db):
    made = await world.a_key(db)
    await keys.revoke(db, world.PROJECT, made.id)

    page = await keys.list_keys(db, world.PROJECT, PageRequest())

    assert [(key.id, key.revoked_at is not None) for key in page.data] == [(made.id, True)]


async def test_a_successor_is_the_equal_of_its_predecessor(db):
    """T110."""
    old = await world.a_key(
        db, "jobs:read", rate_limit_requests=5, rate_limit_window_secs=10, expires_in_days=9
    )

    new = await keys.rotate(db, world.an_actor(), old.id)

    before, after = await the_key(db, old.id), await the_key(db, new.id)
    assert new.name == "A key (rotated)"
    for same in (
        "project_id",
        "scopes",
        "expires_at",
        "rate_limit_requests",
        "rate_limit_window_secs",
    ):
        assert getattr(after, same) == getattr(before, same)
    assert after.replaced_by_key_id is None
    assert before.replaced_by_key_id == new.id == new.new_key_id
    assert before.grace_expires_at == new.grace_expires_at


async def test_the_grace_begins_now(db):
    old = await world.a_key(db)

    new = await keys.rotate(db, world.an_actor(), old.id, grace=timedelta(minutes=5))

    assert new.grace_expires_at - new.created_at == timedelta(minutes=5)


async def test_a_key_is_replaced_once(db):
    old = await world.a_key(db)
    await keys.rotate(db, world.an_actor(), old.id)

    with pytest.raises(Conflict, match="api key is already rotated"):
        await keys.rotate(db, world.an_actor(), old.id)


async def test_a_revoked_key_is_not_replaced(db):
    old = await world.a_key(db)
    await keys.revoke(db, world.PROJECT, old.id)

    with pytest.raises(Conflict, match="api key is already revoked"):
        await keys.rotate(db, world.an_actor(), old.id)


async def test_an_expired_key_is_not_replaced(db):
    """T110: its successor would have its expiry, and be dead from the start."""
    old = await world.a_key(db)
    await db.raw.execute("update api_keys set expires_at = now() - interval '1 second'")

    with pytest.raises(Conflict, match="api key has expired; create a new one"):
        await keys.rotate(db, world.an_actor(), old.id)

    assert await world.count(db, "api_keys") == 1


async def test_nobody_gains_by_replacing_a_key(db):
    """T109."""
    old = await world.a_key(db, "*")

    with pytest.raises(Forbidden, match="requires"):
        await keys.rotate(db, world.an_actor("api-keys:manage"), old.id)

    assert (await the_key(db, old.id)).replaced_by_key_id is None


async def test_two_at_once_make_one_successor(database, db):
    """T85, T110: exactly one valid key is left beside the one that has its grace."""
    old = await world.a_key(db)

    async def rotate():
        async with database.connection() as own:
            return await keys.rotate(own, world.an_actor(), old.id)

    outcomes = await asyncio.gather(rotate(), rotate(), rotate(), return_exceptions=True)

    [new] = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert [str(it) for it in outcomes if isinstance(it, Exception)] == [
        "api key is already rotated"
    ] * 2
    assert await world.count(db, "api_keys") == 2
    assert (await the_key(db, old.id)).replaced_by_key_id == new.id


async def test_a_key_is_revoked_once(db):
    made = await world.a_key(db)
    await keys.revoke(db, world.PROJECT, made.id)

    with pytest.raises(NotFound, match="api key not found or already revoked"):
        await keys.revoke(db, world.PROJECT, made.id)


async def test_another_projects_key_is_not_found(db):
    """T73."""
    made = await world.a_key(db, project_id="proj_2")

    with pytest.raises(NotFound):
        await keys.revoke(db, world.PROJECT, made.id)
    with pytest.raises(NotFound):
        await keys.rotate(db, world.an_actor(), made.id)


async def test_the_keys_of_a_project_end_but_for_those_made_since(db):
    old = await world.a_key(db)
    await world.change_key(db, old.id, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    new = await world.a_key(db)
    other = await world.a_key(db, project_id="proj_2")

    ended = await keys.revoke_all(db, world.PROJECT, made_before=datetime(2026, 1, 2, tzinfo=UTC))

    assert ended == 1
    assert (await the_key(db, old.id)).revoked_at is not None
    assert (await the_key(db, new.id)).revoked_at is None
    assert (await the_key(db, other.id)).revoked_at is None
