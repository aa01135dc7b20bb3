"""No route lets anybody reach into another project (behaviour 0.3; T73).

The table is made of the routes themselves: a new route is tried as soon as it
is there, and one with a parameter nobody has a foreign example of fails.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest
import world

from strait_server.app import api
from strait_server.base.ids import new_id

THEIRS = "proj_2"
SEVERAL = [
    (method.upper(), path, operation["operationId"])
    for path, item in api.document()["paths"].items()
    for method, operation in item.items()
    if path.startswith("/v1/") and "{" in path
]
ALL_ROWS = {
    table: f"select * from {table}"  # noqa: S608 - our own tables
    for table in ("projects", "api_keys", "secrets", "jobs", "runs", "queue")
}
# What a route needs to hear before it looks for what the path names.
BODIES = {
    "setJobEndpoint": {"endpoint_url": "https://svc.example/"},
    "triggerJobInBulk": {"items": [{}]},
    "triggerBulk": {"items": [{}]},
    "rescheduleRun": {"scheduled_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()},
}


async def foreign_ids(db):
    """One of everything, in a project that is not ours."""
    job = await world.a_job(db, project_id=THEIRS)
    [run] = await world.queued(db, job, 1)
    return {
        "project_id": THEIRS,
        "key_id": (await world.a_key(db, project_id=THEIRS)).id,
        "secret_id": (await world.a_secret(db, project_id=THEIRS)).id,
        "job_id": job.id,
        "run_id": run.id,
        "batch_id": await a_batch(db, job),
    }


async def a_batch(db, job):
    return await db.raw.fetchval(
        "insert into batch_operations (id, project_id, job_id, item_count, created_count) "
        "values ($1, $2, $3, 1, 1) returning id",
        new_id(),
        job.project_id,
        job.id,
    )


@pytest.mark.parametrize(("method", "path", "operation"), SEVERAL, ids=str)
async def test_what_belongs_to_another_project_is_not_found(client, db, method, path, operation):
    ids = await foreign_ids(db)
    before = await everything(db)

    answer = await client.request(
        method,
        re.sub(r"{(\w+)}", lambda name: str(ids[name[1]]), path),
        json=BODIES.get(operation, {}),
    )

    assert answer.status_code == 404, answer.text
    assert " not found" in answer.json()["message"]
    assert await everything(db) == before


async def everything(db):
    """All rows that a route could have touched."""
    return {
        table: sorted(map(str, await db.raw.fetch(statement)))
        for table, statement in ALL_ROWS.items()
    }
