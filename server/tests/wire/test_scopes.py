"""Every route asks who is there, and for one scope (api 2, behaviour 13.1, 13.2; T107, T108).

The scopes are those of the contract in `data.csv`.
"""

import pytest
import world
from wire.routes import (
    JOB_CODE,
    OPERATIONS,
    PUBLIC,
    a_token,
    ask,
    belongings,
    contract,
    everything,
    nobodys,
)

from strait_server.tenancy.access.model import EVERYTHING
from strait_server.tenancy.access.rules import SCOPES
from strait_server.work.queue.model import Status

SCOPE_BY_ROUTE = {(route.method, route.path): route.scope for route in contract()}
THEIRS = "proj_theirs"


@pytest.fixture
async def owner(db, door):
    """Open the door for somebody who may do everything in the project."""
    return await door((await world.a_key(db, project_id=THEIRS)).key)


@pytest.mark.parametrize("name", JOB_CODE)
async def test_a_key_is_no_run(db, owner, door, name):
    things = await belongings(db, THEIRS, status=Status.EXECUTING)
    before = await everything(db)

    for who in (owner, await door(internal=True)):
        assert (await ask(who, name, things, body=JOB_CODE[name])).status_code == 401
    assert await everything(db) == before


@pytest.mark.parametrize("name", [it for it in OPERATIONS if it not in JOB_CODE])
async def test_a_run_is_no_key(db, api, door, name):
    """T107: a run token opens nothing but the doors below `/sdk`."""
    things = await belongings(db, THEIRS, status=Status.EXECUTING)
    code = await door(a_token(api, things))

    answer = await ask(code, name, things, body={})

    assert answer.status_code == (200 if name in PUBLIC else 401)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_nobody_gets_in_without_credentials(db, door, name):
    things = await belongings(db, THEIRS, status=Status.EXECUTING)
    before = await everything(db)

    answer = await ask(await door(), name, things, body={})

    assert answer.status_code == (200 if name in PUBLIC else 401)
    assert name in PUBLIC or answer.json()["code"] == "unauthorized"
    assert await everything(db) == before


async def refused_for_want_of_scope(who):
    """Ask for everything, about nothing that exists. Answers what was refused, by name."""
    refused = {}
    for name in OPERATIONS.keys() - JOB_CODE.keys():
        answer = await ask(who, name, nobodys(), body={})
        if "insufficient permissions" in answer.text:
            refused[name] = (answer.status_code, answer.json()["message"])
    return refused


def scope_of(name):
    one = OPERATIONS[name]
    return SCOPE_BY_ROUTE[one.method, one.path]


def scoped():
    return {name for name in OPERATIONS if scope_of(name)}


async def test_a_key_without_scopes_opens_nothing(db, door):
    """T108: not even one that was written down so before it was forbidden."""
    made = await world.a_key(db, "jobs:read")
    await world.change_key(db, made.id, scopes=[])

    refused = await refused_for_want_of_scope(await door(made.key))

    assert refused == {
        name: (403, f"insufficient permissions: requires {scope_of(name)}") for name in scoped()
    }


@pytest.mark.parametrize("scope", sorted(SCOPES))
async def test_a_scope_opens_its_own_routes_and_no_others(db, door, scope):
    """Api 2.4: nothing is implied but by `*`."""
    somebody = await door((await world.a_key(db, scope)).key)

    refused = await refused_for_want_of_scope(somebody)

    assert refused.keys() == {
        name for name in scoped() if scope not in {scope_of(name), EVERYTHING}
    }
