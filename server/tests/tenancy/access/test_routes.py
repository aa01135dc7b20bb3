"""API keys through the door (api 9.22)."""

import pytest
import world

from strait_server.base import ids

KEYS = "/v1/api-keys"


async def test_a_key_is_created_and_shown_once(client):
    answer = await client.post(KEYS, json={"name": "ci", "scopes": ["jobs:read", "jobs:trigger"]})

    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == {"id", "project_id", "name", "key", "key_prefix", "scopes", "created_at"}
    assert made["project_id"] == world.PROJECT
    assert made["scopes"] == ["jobs:read", "jobs:trigger"]
    assert made["key"].startswith(made["key_prefix"])
    assert made["key"] not in (await client.get(KEYS)).text


async def test_a_new_key_opens_the_door(client, door):
    made = (await client.post(KEYS, json={"name": "ci", "scopes": ["projects:read"]})).json()

    newcomer = await door(made["key"])

    assert (await newcomer.get("/v1/projects")).status_code == 200
    assert (await newcomer.get(KEYS)).status_code == 403


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "validation failed"),
        ({"name": ""}, "validation failed"),
        ({"name": "x" * 256}, "validation failed"),
        ({"name": "ci", "scopes": []}, "scopes must not be empty"),
        ({"name": "ci", "scopes": ["all"]}, "unknown scope: all"),
        ({"name": "ci", "expires_in_days": 10**12}, "validation failed"),
        ({"name": "ci", "expires_in_days": -1}, "validation failed"),
        ({"name": 7}, "invalid request body: name: must be str, not int"),
    ],
)
async def test_what_is_no_key_is_refused(client, body, message):
    """T108, T118d."""
    answer = await client.post(KEYS, json=body)

    assert answer.status_code == 400
    assert answer.json()["message"] == message


async def test_nobody_makes_a_key_that_may_more_than_himself(db, door):
    """T109."""
    maker = await door((await world.a_key(db, "api-keys:manage", "jobs:read")).key)

    assert (await maker.post(KEYS, json={"name": "x", "scopes": ["jobs:read"]})).status_code == 201
    for scopes in (["*"], ["jobs:write"], None):
        answer = await maker.post(KEYS, json={"name": "x", "scopes": scopes})
        assert answer.status_code == 403
        assert answer.json()["message"].startswith("insufficient permissions: requires ")


async def test_nobody_makes_a_key_for_another_project(client, db):
    """T73, T109."""
    await world.a_project(db, "proj_2")

    answer = await client.post(KEYS, json={"name": "x", "project_id": "proj_2"})

    assert answer.status_code == 403
    assert answer.json()["message"] == "access denied"


async def test_our_own_service_makes_the_first_key(db, door):
    await world.a_project(db, "proj_new")
    operator = await door(internal=True)

    answer = await operator.post(KEYS, json={"name": "first", "project_id": "proj_new"})

    assert answer.status_code == 201
    assert answer.json()["scopes"] == ["*"]


async def test_our_own_service_names_the_project(door):
    operator = await door(internal=True)

    created = await operator.post(KEYS, json={"name": "first"})
    listed = await operator.get(KEYS)

    assert created.status_code == listed.status_code == 400
    assert created.json()["message"] == listed.json()["message"] == "project_id is required"


async def test_keys_are_listed_without_what_nobody_may_see(client):
    page = (await client.get(KEYS)).json()

    [key] = page["data"]
    assert page["has_more"] is False
    assert "next_cursor" not in page
    assert set(key) == {
        *("id", "project_id", "name", "key_prefix", "scopes", "created_at", "created_by")
    }


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=-3"])
async def test_a_page_has_a_positive_size(client, query):
    answer = await client.get(f"{KEYS}?{query}")

    assert answer.status_code == 400
    assert answer.json()["message"] == "limit must be a positive integer"


async def test_a_cursor_is_one_of_ours(client):
    answer = await client.get(f"{KEYS}?cursor=nonsense")

    assert answer.status_code == 400
    assert answer.json()["message"] == "invalid cursor format"


async def test_a_key_is_replaced(client, db):
    old = await world.a_key(db, "jobs:read")

    answer = await client.post(f"{KEYS}/{old.id}/rotate")

    assert answer.status_code == 201
    new = answer.json()
    assert set(new) == {
        *("id", "old_key_id", "new_key_id", "project_id", "name", "key", "key_prefix", "scopes"),
        *("created_at", "grace_expires_at"),
    }
    assert new["id"] == new["new_key_id"]
    assert new["old_key_id"] == str(old.id)
    assert new["scopes"] == ["jobs:read"]


async def test_both_keys_work_during_the_grace_and_the_new_one_after_it(client, db, door):
    old = await world.a_key(db, "projects:read")
    new = (await client.post(f"{KEYS}/{old.id}/rotate")).json()
    before = [
        (await (await door(key)).get("/v1/projects")).status_code for key in (old.key, new["key"])
    ]

    await client.delete(f"{KEYS}/{old.id}")

    assert before == [200, 200]
    assert (await (await door(new["key"])).get("/v1/projects")).status_code == 200


@pytest.mark.parametrize(
    "said", [{"grace_period_minutes": 10_080}, {"grace_period_seconds": 60}, {}]
)
async def test_a_grace_may_be_said_in_minutes_or_seconds(client, db, said):
    old = await world.a_key(db)

    answer = await client.post(f"{KEYS}/{old.id}/rotate", json={**said, "name": "next"})

    assert answer.status_code == 201
    assert answer.json()["name"] == "next"


async def test_a_grace_is_a_week_at_most(client, db):
    old = await world.a_key(db)

    answer = await client.post(f"{KEYS}/{old.id}/rotate", json={"grace_period_minutes": 10_081})

    assert answer.status_code == 400


async def test_a_revoked_key_answers_as_documented(client, db):
    old = await world.a_key(db)

    first = await client.delete(f"{KEYS}/{old.id}")
    second = await client.delete(f"{KEYS}/{old.id}")
    rotated = await client.post(f"{KEYS}/{old.id}/rotate")

    assert (first.status_code, first.json()) == (200, {"status": "revoked"})
    assert second.status_code == 404
    assert second.json()["message"] == "api key not found or already revoked"
    assert rotated.status_code == 409
    assert rotated.json()["message"] == "api key is already revoked"


async def test_a_key_nobody_has_is_not_found(client):
    answer = await client.post(f"{KEYS}/{ids.new_id()}/rotate")

    assert answer.status_code == 404
    assert answer.json()["message"] == "api key not found"
