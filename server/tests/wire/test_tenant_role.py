"""Whoever acts in a project is held to it by PostgreSQL, whatever route he takes (T114, ADR 0006).

What the role of tenants may do is taken from it, and each route is asked once more:
one that still answers has worked as the owner.
"""

import pytest
import world
from wire.routes import JOB_CODE, OPERATIONS, PUBLIC, URL, a_token, ask, belongings
from wire.test_tenancy_walk import NAMED_ELSEWHERE, NAMED_IN_PATH, OURS, THEIRS, Way

from strait_server.work.queue.model import Status

TAKEN = "revoke all on all tables in schema public from strait_tenant"
OF_MANY_PROJECTS = {"triggerJob", "triggerJobInBulk", "triggerBulk", *JOB_CODE} - {"getOwnPayload"}
"""What is written together with what others ask for, by the owner."""
OF_NO_PROJECT = {*PUBLIC, "listMetrics", "createProject"}
A_JOB = {"name": "A job", "slug": "new", "endpoint_url": URL}
WAYS = {
    **NAMED_IN_PATH,
    **{name: Way(run=hints[0].run) for name, hints in NAMED_ELSEWHERE.items()},
    "listApiKeys": Way(),
    "listDeadLetters": Way(),
    "listBatchOperations": Way(),
    "getStats": Way(),
    "createApiKey": Way({"name": "A key"}),
    "createSecret": Way({"secret_key": "A", "value": "v"}),
    "createJob": Way(A_JOB),
    "batchCreateJobs": Way({"jobs": [A_JOB]}),
    "batchEnableJobs": Way({"ids": ["any"]}),
    "batchDisableJobs": Way({"ids": ["any"]}),
    "bulkCancelAllRuns": Way({"status": "queued"}),
}
HELD = sorted(OPERATIONS.keys() - OF_MANY_PROJECTS - OF_NO_PROJECT - {"getOwnPayload"})
MANY_IN_BODY = {"bulkCancelRuns", "bulkReplayRuns"}


@pytest.mark.parametrize("name", HELD)
async def test_a_route_works_in_the_scope_of_the_keys_project(db, door, name):
    way = WAYS[name]
    things = await belongings(db, OURS, status=way.run)
    body = {"run_ids": [things["run_id"]]} if name in MANY_IN_BODY else way.body
    key = await world.a_key(db, project_id=OURS)
    await db.raw.execute(TAKEN)

    answer = await ask(await door(key.key), name, things, body=body)

    assert answer.status_code == 500, "it did its work as the owner"


async def test_job_code_reads_its_payload_in_the_scope_of_its_project(db, api, door):
    things = await belongings(db, OURS, status=Status.EXECUTING)
    await db.raw.execute(TAKEN)

    answer = await ask(await door(a_token(api, things)), "getOwnPayload", things)

    assert answer.status_code == 500


async def test_a_dry_run_is_decided_in_the_scope_of_the_jobs_project(db, door):
    things = await belongings(db, OURS)
    key = await world.a_key(db, project_id=OURS)
    await world.change_job(db, await world.the_job(db, things["job_id"]), rate_limit_max=5)
    await world.change_job(db, await world.the_job(db, things["job_id"]), rate_limit_window_secs=5)
    owner, dry = await door(key.key), {"dry_run": True, "idempotency_key": "k"}

    before = await ask(owner, "triggerJob", things, body=dry)
    await db.raw.execute(TAKEN)
    answer = await ask(owner, "triggerJob", things, body=dry)

    assert (before.status_code, answer.status_code) == (200, 500)


async def test_a_request_is_held_to_its_project_on_a_pool_as_well(database, db, door):
    things = await belongings(db, OURS)
    client = await door((await world.a_key(db, project_id=OURS)).key)
    before = [await ask(client, name, things) for name in ("getRun", "listRuns", "getStats")]

    await db.raw.execute(TAKEN)
    after = [await ask(client, name, things) for name in ("getRun", "listRuns", "getStats")]

    assert database.usage()[0] > 0
    assert {answer.status_code for answer in before} == {200}
    assert {answer.status_code for answer in after} == {500}


@pytest.mark.parametrize("name", ["createApiKey", "createSecret", "createJob", "batchCreateJobs"])
async def test_our_own_services_may_name_another_project_than_theirs(db, door, name):
    """Api 2.3."""
    await belongings(db, OURS)
    await belongings(db, THEIRS)
    service = await door(internal=True, X_Project_Id=OURS)
    body = {**WAYS[name].body, "project_id": THEIRS}
    if name == "batchCreateJobs":
        body = {"jobs": [{**A_JOB, "project_id": THEIRS}]}

    answer = await ask(service, name, {}, body=body)

    assert answer.is_success, answer.text
    assert THEIRS in answer.text


@pytest.mark.parametrize("name", [it for it in OPERATIONS if "{project_id}" in OPERATIONS[it].path])
async def test_our_own_services_may_ask_for_another_project_than_theirs(db, door, name):
    """Api 2.3."""
    await belongings(db, OURS)
    service = await door(internal=True, X_Project_Id=OURS)

    answer = await ask(service, name, await belongings(db, THEIRS), body=WAYS[name].body)

    assert answer.is_success, answer.text
