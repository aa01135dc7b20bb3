"""Secrets through the door (api 9.7)."""

import pytest
import world

from strait_server.base import ids

SECRETS = "/v1/secrets"
FIELDS = {
    *("id", "project_id", "environment", "secret_key", "key_version", "created_at", "updated_at")
}


async def test_a_secret_is_kept_and_never_shown(client):
    """T118e."""
    answer = await client.post(SECRETS, json={"secret_key": "TOKEN", "value": "hunter2"})

    assert answer.status_code == 201
    kept = answer.json()
    assert set(kept) == FIELDS
    assert (kept["environment"], kept["key_version"]) == ("production", 1)
    for shown in (answer, await client.get(SECRETS), await client.get(f"{SECRETS}/{kept['id']}")):
        assert "hunter2" not in shown.text


async def test_the_same_name_again_is_the_next_version(client):
    await client.post(SECRETS, json={"secret_key": "TOKEN", "value": "one"})

    answer = await client.post(SECRETS, json={"key": "TOKEN", "value": "two"})

    assert answer.status_code == 201
    assert answer.json()["key_version"] == 2
    assert len((await client.get(SECRETS)).json()["data"]) == 1


@pytest.mark.parametrize("field", ["id", "slug"])
async def test_a_secret_may_be_for_one_job(client, db, field):
    """The job is named by its id or slug (api 9)."""
    job, other = await world.a_job(db), await world.a_job(db)
    named, not_meant = str(getattr(job, field)), getattr(other, field)

    answer = await client.post(SECRETS, json={"secret_key": "TOKEN", "value": "v", "job_id": named})

    assert answer.status_code == 201
    assert answer.json()["job_id"] == str(job.id)
    assert len((await client.get(f"{SECRETS}?job_id={named}")).json()["data"]) == 1
    assert (await client.get(f"{SECRETS}?job_id={not_meant}")).json()["data"] == []
    assert (await client.get(f"{SECRETS}?job_id={ids.new_id()}")).json()["data"] == []


async def test_a_slug_that_no_job_has_is_not_found(client):
    answer = await client.get(f"{SECRETS}?job_id=no-such-job")

    assert answer.status_code == 404
    assert answer.json()["message"] == "job not found"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"value": "v"}, "secret_key: failed on 'required'"),
        ({"secret_key": "TOKEN"}, "value: failed on 'required'"),
        ({"secret_key": "TOKEN", "value": ""}, "value: failed on 'min=1'"),
        (
            {"secret_key": "1TOKEN", "value": "v"},
            "secret_key: must consist of letters (A-Z), digits and _, the first no digit",
        ),
        (
            {"secret_key": "TOKEN\n", "value": "v"},
            "secret_key: must consist of letters (A-Z), digits and _, the first no digit",
        ),
        (
            {"key": "größe", "value": "v"},
            "key: must consist of letters (A-Z), digits and _, the first no digit",
        ),
        ({"secret_key": "A" * 129, "value": "v"}, "secret_key: failed on 'max=128'"),
    ],
)
async def test_what_is_no_secret_is_refused(client, body, problem):
    answer = await client.post(SECRETS, json=body)

    assert answer.status_code == 400
    assert answer.json()["details"] == [problem]


async def test_a_refusal_does_not_repeat_the_value(client):
    answer = await client.post(SECRETS, json={"secret_key": "no way", "value": "hunter2"})

    assert answer.status_code == 400
    assert "hunter2" not in answer.text


async def test_a_secret_is_deleted_once(client, db):
    secret = await world.a_secret(db)

    first = await client.delete(f"{SECRETS}/{secret.id}")
    second = await client.delete(f"{SECRETS}/{secret.id}")

    assert first.status_code == 204
    assert second.status_code == 404
    assert second.json()["message"] == "secret not found"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_another_projects_secret_is_not_found(client, db, method):
    """T73."""
    secret = await world.a_secret(db, project_id="proj_2")

    answer = await client.request(method, f"{SECRETS}/{secret.id}")

    assert answer.status_code == 404
    assert await world.count(db, "secrets") == 1


@pytest.mark.parametrize("field", ["id", "slug"])
async def test_another_projects_job_is_not_found(client, db, field):
    """T73."""
    job = await world.a_job(db, project_id="proj_2")

    answer = await client.post(
        SECRETS, json={"secret_key": "TOKEN", "value": "v", "job_id": str(getattr(job, field))}
    )

    assert answer.status_code == 404
    assert answer.json()["message"] == "job not found"


async def test_a_secret_for_another_project_is_refused(client, db):
    """T73."""
    await world.a_project(db, "proj_2")

    answer = await client.post(
        SECRETS, json={"secret_key": "TOKEN", "value": "v", "project_id": "proj_2"}
    )

    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("scope", "method", "allowed"),
    [
        ("secrets:read", "GET", True),
        ("secrets:read", "POST", False),
        ("secrets:write", "POST", True),
        ("secrets:write", "GET", False),
        ("jobs:write", "POST", False),
    ],
)
async def test_reading_and_writing_are_two_scopes(db, door, scope, method, allowed):
    somebody = await door((await world.a_key(db, scope)).key)

    answer = await somebody.request(method, SECRETS, json={"key": "TOKEN", "value": "v"})

    assert (answer.status_code != 403) is allowed
