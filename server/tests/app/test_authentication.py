"""Who is asking (api 2, behaviour 13.1, 13.4; T107, T118f)."""

from datetime import UTC, datetime

import pytest
import serving
import world
from litestar import get

from strait_server.app.authentication import Authentication, Gate
from strait_server.base import clock, ids
from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.http.exchange import exchange_of
from strait_server.base.http.framework import JSONRequest
from strait_server.base.http.limits import Limiter

WHO = "/v1/projects"
UNKNOWN = "strait_" + "0" * 64
RUN = ids.new_id()
TOKENS = RunTokens(world.ENVIRON["JWT_SIGNING_KEY"])


async def said(answer):
    return answer.status_code, answer.json().get("message")


async def test_nobody_is_asked_for_a_token(door):
    stranger = await door()

    answer = await stranger.get(WHO)

    assert await said(answer) == (401, "missing bearer token")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({}, None),
        ({"revoked_at": datetime(2026, 1, 1, tzinfo=UTC)}, "api key has been revoked"),
        ({"expires_at": datetime(2026, 1, 1, tzinfo=UTC)}, "api key has expired"),
        (
            {"grace_expires_at": datetime(2026, 1, 1, tzinfo=UTC)},
            "api key rotation grace period has ended",
        ),
    ],
)
async def test_a_key_is_let_in_or_told_why_not(db, door, columns, reason):
    made = await world.a_key(db)
    await world.change_key(db, made.id, **columns)

    answer = await (await door(made.key)).get(WHO)

    assert (answer.status_code, reason) == (200, None) or await said(answer) == (401, reason)


async def test_a_key_nobody_made_is_told_so(door):
    assert await said(await (await door(UNKNOWN)).get(WHO)) == (401, "invalid api key")


async def test_the_internal_secret_opens_in_either_form(db, door):
    await world.a_project(db)
    for operator in (await door(internal=True), await door(world.INTERNAL_SECRET)):
        answer = await operator.get(WHO + "?org_id=org_1")

        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"X_Internal_Secret": "wrong"}, "invalid or missing internal secret"),
        ({"Authorization": "Bearer wrong"}, "invalid bearer token"),
        ({"Authorization": "Basic d3Jvbmc="}, "missing bearer token"),
        ({"Authorization": "Bearer "}, "missing bearer token"),
    ],
)
async def test_any_other_secret_does_not(door, headers, reason):
    stranger = await door(**headers)

    assert await said(await stranger.get(WHO)) == (401, reason)


async def test_a_key_is_a_key_whatever_else_was_sent(db, door):
    """Behaviour 13.1."""
    made = await world.a_key(db)
    both = await door(made.key, internal=True, X_Project_Id="proj_2", X_Actor_Id="boss")
    wrong = await door(UNKNOWN, internal=True)

    assert [project["id"] for project in (await both.get(WHO)).json()] == ["proj_1"]
    assert await said(await wrong.get(WHO)) == (401, "invalid api key")


async def test_the_secret_cannot_be_guessed(door):
    """T118f: ten wrong guesses, and nobody listens to the address for a while."""
    guesser = await door()
    for number in range(10):
        answer = await guesser.get(WHO, headers={"X-Internal-Secret": f"guess {number}"})
        assert answer.status_code == 401

    right = await guesser.get(WHO, headers={"X-Internal-Secret": world.INTERNAL_SECRET})
    bearer = await guesser.get(WHO, headers={"Authorization": f"Bearer {world.INTERNAL_SECRET}"})

    assert right.status_code == bearer.status_code == 429
    assert 0 < int(right.headers["retry-after"]) <= 60


async def test_health_is_no_place_for_guesses(door):
    """T118f: where no credentials are needed, wrong ones count all the same."""
    guesser = await door()
    for number in range(10):
        answer = await guesser.get("/health", headers={"X-Internal-Secret": f"guess {number}"})
        assert answer.status_code == 200

    answer = await guesser.get("/health", headers={"X-Internal-Secret": world.INTERNAL_SECRET})

    assert "subsystems" not in answer.json()


async def test_others_are_not_locked_out_by_a_guesser(db, door):
    guesser = await door()
    for number in range(11):
        await guesser.get(WHO, headers={"X-Internal-Secret": f"guess {number}"})

    assert (await (await door(internal=True)).get(WHO + "?org_id=o")).status_code == 200
    key = (await world.a_key(db)).key
    same_address = await guesser.get(WHO, headers={"Authorization": f"Bearer {key}"})
    assert same_address.status_code == 200


async def test_our_own_service_says_in_which_project_it_acts(db, door):
    await world.a_key(db, project_id="proj_1")
    await world.a_key(db, project_id="proj_2")
    by_header = await door(internal=True, X_Project_Id="proj_2")
    by_query = await door(internal=True)

    first = await by_header.get("/v1/api-keys")
    second = await by_query.get("/v1/api-keys?project_id=proj_2")

    assert {key["project_id"] for key in first.json()["data"]} == {"proj_2"}
    assert first.json() == second.json()


@pytest.mark.parametrize("project_id", ["a/b", "..", "x" * 65])
async def test_a_project_that_cannot_be_is_refused(door, project_id):
    operator = await door(internal=True, X_Project_Id=project_id)

    assert await said(await operator.get("/v1/api-keys")) == (400, "invalid project id")


async def test_our_own_service_says_for_whom_it_acts(db, door):
    await world.a_project(db)
    operator = await door(internal=True, X_Project_Id="proj_1", X_Actor_Id="user_7")

    made = (await operator.post("/v1/api-keys", json={"name": "ci"})).json()

    created_by = await db.raw.fetchval("select created_by from api_keys where name = 'ci'")
    assert made["project_id"] == "proj_1"
    assert created_by == "user_7"


async def test_a_missing_scope_is_named(db, door):
    somebody = await door((await world.a_key(db, "jobs:read")).key)

    answer = await somebody.get("/v1/secrets")

    assert await said(answer) == (403, "insufficient permissions: requires secrets:read")


async def test_a_run_token_opens_no_door_but_its_own(door):
    """T107."""
    job_code = await door(a_token())

    assert await said(await job_code.get(WHO)) == (401, "invalid bearer token")


def a_token(run_id=RUN, *, lasts=60.0, tokens=TOKENS):
    now = clock.unix()
    return tokens.issue(run_id, project_id="proj_1", attempt=2, expires_at=now + lasts, now=now)


@get("/sdk/v1/runs/{run_id:str}/whoami")
async def whoami(request: JSONRequest) -> dict[str, object]:
    actor = exchange_of(request.scope).actor
    return {"id": actor.id, "attempt": actor.attempt, "scoped": actor.may("runs:read")}


@pytest.fixture
async def other_doors(api):
    """Routes of rooms above, behind the same gate."""
    gate = Gate(api.services.keyring, TOKENS, world.INTERNAL_SECRET, Limiter())
    app = serving.routes(whoami, guards=[Authentication(gate)])
    async with serving.client_of(app) as client:
        yield client


async def ask(client, token, *, run_id=RUN, **headers):
    return await client.get(
        f"/sdk/v1/runs/{run_id}/whoami",
        headers={
            "Authorization": f"Bearer {token}",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        },
    )


async def test_a_run_token_speaks_for_its_run_and_attempt(other_doors):
    answer = await ask(other_doors, a_token())

    assert answer.json() == {"id": f"run:{RUN}", "attempt": 2, "scoped": False}


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (a_token(lasts=-1), "invalid run token"),
        (a_token(tokens=RunTokens("another-signing-key-0123456789abc")), "invalid run token"),
        ("eyJhbGciOiJub25lIn0.e30.", "invalid run token"),
        (UNKNOWN, "invalid run token"),
        ("", "missing or invalid authorization header"),
    ],
)
async def test_any_other_token_does_not(other_doors, token, reason):
    """T107."""
    assert await said(await ask(other_doors, token)) == (401, reason)


async def test_a_run_token_does_not_speak_for_another_run(other_doors):
    answer = await ask(other_doors, a_token(), run_id=ids.new_id())

    assert await said(answer) == (403, "token does not match run ID")


async def test_a_key_does_not_speak_for_a_run(other_doors, db):
    assert (await ask(other_doors, (await world.a_key(db)).key)).status_code == 401


@pytest.mark.parametrize(
    ("version", "accepted", "capabilities"),
    [
        (None, "legacy", "none"),
        ("1.9.0", "1.9.0", "none"),
        ("2.0.0", "2.0.0", "progress,checkpoint,usage"),
        ("v10.1", "v10.1", "progress,checkpoint,usage"),
        ("9" * 5000, "9" * 64, "none"),
        ("soon", "soon", "none"),
    ],
)
async def test_job_code_learns_what_we_understand(other_doors, version, accepted, capabilities):
    given = {} if version is None else {"X_SDK_Version": version}

    answer = await ask(other_doors, a_token(), **given)

    assert answer.headers["x-sdk-version-accepted"] == accepted
    assert answer.headers["x-sdk-capabilities"] == capabilities


async def test_a_key_in_the_query_does_not_count(db, door):
    made = await world.a_key(db)

    assert (await (await door()).get(f"{WHO}?token={made.key}")).status_code == 401
