"""No route lets anybody reach into another project (behaviour 0.3; T73, T109).

Every route of the document is in one of the tables below, and a new one fails
until it is. What an owner can do, somebody of another project is shown not to
be able to; and then nothing has changed, in any table of the database.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
import world
from wire.routes import (
    JOB_CODE,
    OPERATIONS,
    PUBLIC,
    URL,
    a_token,
    ask,
    belongings,
    everything,
    nobodys,
)
from wire.scene import later

from strait_server.work.queue.model import Status

OURS = "proj_ours"
THEIRS = "proj_theirs"


class Way(NamedTuple):
    """How to do something to a thing in a path, and in which state a run must be for it."""

    body: Mapping[str, object] = {}
    run: Status = Status.QUEUED


class Hint(NamedTuple):
    """How to name a thing elsewhere than in the path."""

    body: Callable[[Mapping], object] = lambda _: {}
    query: Callable[[Mapping], Mapping] = lambda _: {}
    run: Status = Status.QUEUED


NAMED_IN_PATH = {
    "getProject": Way(),
    "deleteProject": Way(),
    "getProjectSettings": Way(),
    "updateProjectSettings": Way({"timezone": "Europe/Vienna"}),
    "getProjectQuotas": Way(),
    "updateProjectQuotas": Way({"max_jobs": 7}),
    "rotateApiKey": Way(),
    "revokeApiKey": Way(),
    "getSecret": Way(),
    "deleteSecret": Way(),
    "getJob": Way(),
    "updateJob": Way({"name": "Mine now"}),
    "deleteJob": Way(run=Status.COMPLETED),
    "cloneJob": Way({"slug": "mine"}),
    "setJobEndpoint": Way({"endpoint_url": URL, "rotate_signing_secret": True}),
    "pauseJob": Way(),
    "resumeJob": Way(),
    "listJobRuns": Way(),
    "triggerJob": Way(),
    "triggerJobInBulk": Way({"items": [{}]}),
    "triggerBulk": Way({"items": [{}]}),
    "getRun": Way(),
    "cancelRun": Way(),
    "listRunChildren": Way(),
    "listRunEvents": Way(),
    "explainRun": Way(),
    "replayRun": Way(run=Status.FAILED),
    "replayDeadLetter": Way(run=Status.DEAD_LETTER),
    "replayDlqRun": Way(run=Status.DEAD_LETTER),
    "rescheduleRun": Way({"scheduled_at": later(hours=1)}),
    "resetRunIdempotencyKey": Way(),
    "getBatchOperation": Way(),
}
NAMED_ELSEWHERE = {
    "createSecret": [Hint(lambda it: {"secret_key": "A", "value": "v", "job_id": it["job_id"]})],
    "listSecrets": [Hint(query=lambda it: {"job_id": it["job_id"]})],
    "listProjects": [Hint(query=lambda _: {"org_id": "org_1"})],
    "listJobs": [Hint(query=lambda it: {"slug": it["slug"]})],
    "batchEnableJobs": [
        Hint(lambda it: {"ids": [it["job_id"], it["slug"]]}),
        Hint(lambda it: {"job_ids": [it["job_id"]]}),
    ],
    "batchDisableJobs": [
        Hint(lambda it: {"ids": [it["job_id"], it["slug"]]}),
        Hint(lambda it: {"job_ids": [it["job_id"]]}),
    ],
    "listRuns": [
        Hint(query=lambda it: {"job_id": it["job_id"]}),
        Hint(query=lambda it: {"job_id": it["slug"]}),
        Hint(query=lambda it: {"batch_id": it["batch_id"]}),
    ],
    "bulkCancelRuns": [Hint(lambda it: {"run_ids": [it["run_id"]]})],
    "bulkCancelAllRuns": [
        Hint(lambda it: {"job_id": it["job_id"]}),
        Hint(lambda it: {"job_id": it["slug"]}),
        Hint(lambda it: {"batch_id": it["batch_id"]}),
        Hint(lambda _: {"status": "queued"}),
    ],
    "bulkReplayRuns": [Hint(lambda it: {"run_ids": [it["run_id"]]}, run=Status.FAILED)],
    "bulkReplayDeadLetters": [
        Hint(lambda it: {"run_ids": [it["run_id"]]}, run=Status.DEAD_LETTER),
        Hint(run=Status.DEAD_LETTER),
    ],
}
# What shows everything of a project, or counts it, and takes no name at all.
SHOWN = {"listApiKeys", "listDeadLetters", "listBatchOperations", "getStats"}
A_JOB = {"name": "A job", "slug": "new", "endpoint_url": URL}
PROJECT_IN_BODY = {
    "createApiKey": {"name": "A key"},
    "createSecret": {"secret_key": "A", "value": "v"},
    "createJob": A_JOB,
    "bulkReplayDeadLetters": {},
}
IN_OTHER_TESTS = {"createProject", "batchCreateJobs"}
OF_THE_PROCESS = {"listMetrics"}
HINTS = [(name, hint) for name, hints in NAMED_ELSEWHERE.items() for hint in hints]


def test_every_route_is_walked():
    walked = {
        *NAMED_IN_PATH,
        *NAMED_ELSEWHERE,
        *SHOWN,
        *PROJECT_IN_BODY,
        *IN_OTHER_TESTS,
        *JOB_CODE,
        *PUBLIC,
        *OF_THE_PROCESS,
    }

    assert walked == OPERATIONS.keys()


@pytest.fixture
async def somebody(db, door):
    """Somebody who may do everything, in a project of ours that has one of everything, too."""
    await belongings(db, OURS)
    return await door((await world.a_key(db, project_id=OURS)).key)


@pytest.fixture
async def owner(db, door):
    """Somebody who may do everything in the project of the others."""
    return await door((await world.a_key(db, project_id=THEIRS)).key)


@pytest.mark.parametrize("name", NAMED_IN_PATH)
async def test_an_owner_can(db, owner, name):
    """Otherwise the next test would show nothing."""
    way = NAMED_IN_PATH[name]

    answer = await ask(owner, name, await belongings(db, THEIRS, status=way.run), body=way.body)

    assert answer.is_success, answer.text


@pytest.mark.parametrize("name", NAMED_IN_PATH)
async def test_what_belongs_to_another_project_is_not_found(db, somebody, name):
    """T73: it is as if it were not there."""
    way = NAMED_IN_PATH[name]
    things, nothing = await belongings(db, THEIRS, status=way.run), nobodys()
    before = await everything(db)

    answer = await ask(somebody, name, things, body=way.body)
    unknown = await ask(somebody, name, nothing, body=way.body)

    assert answer.status_code == 404
    assert " not found" in answer.json()["message"]
    assert plain(answer, things) == plain(unknown, nothing)
    assert await everything(db) == before


@pytest.mark.parametrize("name", [it for it in NAMED_IN_PATH if "{job_id}" in OPERATIONS[it].path])
async def test_a_slug_of_another_project_is_not_found(db, somebody, owner, name):
    """T73: slugs are names within a project."""
    way = NAMED_IN_PATH[name]
    things = await belongings(db, THEIRS, status=way.run)
    by_slug = {**things, "job_id": things["slug"]}
    before = await everything(db)

    answer = await ask(somebody, name, by_slug, body=way.body)

    assert (answer.status_code, answer.json()["message"]) == (404, "job not found")
    assert await everything(db) == before
    assert (await ask(owner, name, by_slug, body=way.body)).is_success


async def test_what_a_process_remembers_is_not_told_to_others(db, somebody, owner):
    """T73: the owner's trigger has put the job among the definitions that the process knows."""
    things = await belongings(db, THEIRS)
    assert (await ask(owner, "triggerJob", things, body={})).is_success

    answer = await ask(somebody, "triggerJob", things, body={"idempotency_key": "mine"})

    assert (answer.status_code, answer.json()["message"]) == (404, "job not found")


@pytest.mark.parametrize(
    "name", [it for it in NAMED_IN_PATH if "{project_id}" not in OPERATIONS[it].path]
)
async def test_our_own_services_keep_to_the_project_they_name(db, door, name):
    """Api 2.3."""
    way = NAMED_IN_PATH[name]
    things = await belongings(db, THEIRS, status=way.run)
    service = await door(internal=True, X_Project_Id=OURS)
    before = await everything(db)

    answer = await ask(service, name, things, body=way.body)

    assert answer.status_code == 404
    assert await everything(db) == before


@pytest.mark.parametrize(("name", "hint"), HINTS, ids=[name for name, _ in HINTS])
async def test_a_name_in_a_body_or_a_query_opens_nothing(db, door, name, hint):
    """T73: it is as if it were not there."""
    things, nothing = await belongings(db, THEIRS, status=hint.run), nobodys()
    ours = await door((await world.a_key(db, project_id=OURS)).key)
    before = await everything(db)

    answer, unknown = [
        await ask(
            ours,
            name,
            named,
            body=hint.body(named) if OPERATIONS[name].method != "GET" else None,
            query=hint.query(named),
        )
        for named in (things, nothing)
    ]

    assert plain(answer, things) == plain(unknown, nothing)
    assert await everything(db) == before


@pytest.mark.parametrize(
    "name", sorted({*SHOWN, "listProjects", "listSecrets", "listJobs", "listRuns"})
)
@pytest.mark.parametrize("status", [Status.QUEUED, Status.DEAD_LETTER])
async def test_a_list_shows_nothing_of_another_project(db, door, name, status):
    """T73."""
    things = await belongings(db, THEIRS, status=status)
    ours = await door((await world.a_key(db, project_id=OURS)).key)

    answer = await ask(ours, name, things)

    assert answer.status_code == 200
    assert [it for it in ("slug", "job_id", "run_id", "key_id") if things[it] in answer.text] == []
    assert name != "getStats" or set(answer.json().values()) == {0}


@pytest.mark.parametrize("name", PROJECT_IN_BODY)
async def test_another_project_in_a_body_is_denied(db, somebody, name):
    """T73, T109."""
    await belongings(db, THEIRS, status=Status.DEAD_LETTER)
    before = await everything(db)

    answer = await ask(somebody, name, {}, body={**PROJECT_IN_BODY[name], "project_id": THEIRS})

    assert (answer.status_code, answer.json()["message"]) == (403, "access denied")
    assert await everything(db) == before


async def test_another_project_in_a_batch_is_denied(db, somebody):
    """T73, T109."""
    await belongings(db, THEIRS, status=Status.QUEUED)
    before = await everything(db)
    jobs = [{**A_JOB, "project_id": OURS}, {**A_JOB, "project_id": THEIRS}]

    answer = await ask(somebody, "batchCreateJobs", {}, body={"jobs": jobs})

    assert (answer.status_code, answer.json()["message"]) == (403, "access denied")
    assert await everything(db) == before


async def test_a_key_takes_over_no_project(db, somebody):
    """T73: creating one that exists would give it a new owner."""
    await belongings(db, THEIRS, status=Status.QUEUED)
    before = await everything(db)

    answer = await ask(
        somebody, "createProject", {}, body={"id": THEIRS, "org_id": "mine", "name": "Mine"}
    )

    assert answer.status_code == 403
    assert await everything(db) == before


@pytest.mark.parametrize("name", JOB_CODE)
async def test_a_run_speaks_for_itself_only(db, api, door, name):
    """T73, T107: also where both runs are of one project."""
    ours = await belongings(db, OURS, status=Status.EXECUTING)
    others = [await belongings(db, project, status=Status.EXECUTING) for project in (OURS, THEIRS)]
    code = await door(a_token(api, ours))
    before = await everything(db)

    answers = [await ask(code, name, other, body=JOB_CODE[name]) for other in others]

    assert {answer.status_code for answer in answers} == {403}
    assert {answer.json()["message"] for answer in answers} == {"token does not match run ID"}
    assert await everything(db) == before
    assert (await ask(code, name, ours, body=JOB_CODE[name])).is_success


def plain(answer, things):
    """Leave out of an answer what differs from request to request."""
    told = answer.text
    for name, thing in things.items():
        told = told.replace(thing, name)
    return answer.status_code, re.sub(r'"request_id":"[^"]*"', "", told)
