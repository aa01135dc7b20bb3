"""Canceling runs (api 9.9, 9.10; behaviour 1.4 #22, 1.5, D6; traps T12, T20, T26q, T73)."""

import pytest
import world

from strait_server.base import ids
from strait_server.work.queue.model import FINAL, Status

OPEN = [Status.DELAYED, Status.QUEUED, Status.DEQUEUED, Status.EXECUTING, Status.WAITING]


@pytest.mark.parametrize("status", OPEN)
async def test_an_unfinished_run_can_be_canceled(client, db, status):
    run = await world.a_run(db, status=status)

    answer = await client.delete(f"/v1/runs/{run.id}")

    assert answer.status_code == 200
    canceled = answer.json()
    assert (canceled["status"], canceled["error"]) == ("canceled", "canceled by user")
    assert canceled["finished_at"]


@pytest.mark.parametrize("status", sorted(FINAL))
async def test_a_finished_run_cannot_be_canceled(client, db, status):
    """A dead letter has finished, too (T20)."""
    run = await world.a_run(db, status=status)

    answer = await client.delete(f"/v1/runs/{run.id}")

    assert answer.status_code == 400
    assert answer.json()["message"] == "run already in terminal state"
    assert await world.status(db, run.id) is status


async def test_its_descendants_are_canceled_with_it(client, db):
    parent, child, grandchild, other = [await world.a_run(db) for _ in range(4)]
    for run, above in ((child, parent), (grandchild, child)):
        await db.raw.execute("update runs set parent_run_id = $2 where id = $1", run.id, above.id)

    await client.delete(f"/v1/runs/{parent.id}")

    assert (await world.the_run(db, child.id)).error == "parent run canceled"
    assert (await world.the_run(db, grandchild.id)).error == "parent run canceled"
    assert await world.status(db, other.id) is Status.QUEUED


async def test_some_are_canceled_and_of_each_is_said_what_became_of_it(client, db):
    executing = await world.a_run(db, status=Status.EXECUTING)
    done = await world.a_run(db, status=Status.COMPLETED)
    queued = await world.a_run(db)
    foreign = await world.a_run(db, job=await world.a_job(db, project_id="proj_2"))
    named = [str(run.id) for run in (queued, done, executing, foreign)] + ["nonsense"]

    answer = await client.post("/v1/runs/bulk-cancel", json={"run_ids": named})

    assert answer.status_code == 200
    assert answer.json() == {
        "results": [
            {"id": named[0], "status": "canceled"},
            {"id": named[1], "status": "completed", "error": "run already in terminal state"},
            {"id": named[2], "status": "canceled"},
            {"id": named[3], "status": "failed", "error": "run not found"},
            {"id": named[4], "status": "failed", "error": "run not found"},
        ],
        "total": 5,
        "canceled": 2,
        "failed": 3,
    }
    assert (await world.the_run(db, queued.id)).error == "canceled by user (bulk)"
    assert await world.status(db, foreign.id) is Status.QUEUED


async def test_the_command_line_may_say_ids(client, db):
    run = await world.a_run(db)

    answer = await client.post("/v1/runs/bulk-cancel", json={"ids": [str(run.id)]})

    assert answer.json()["canceled"] == 1


async def test_too_many_or_none_are_refused(client):
    many = [str(ids.new_id()) for _ in range(101)]

    refused = await client.post("/v1/runs/bulk-cancel", json={"run_ids": many})
    assert (refused.status_code, refused.json()["message"]) == (
        400,
        "maximum 100 run IDs per bulk cancel request",
    )
    assert (await client.post("/v1/runs/bulk-cancel")).status_code == 400


async def test_a_filter_cancels_all_that_wait_and_never_started(client, db):
    """T26q: more than one batch of a thousand."""
    job = await world.a_job(db, slug="wanted")
    executing = await world.a_run(db, job=job, status=Status.EXECUTING)
    delayed = await world.a_run(db, job=job, status=Status.DELAYED)
    queued = await world.queued(db, job, 1100)
    other = await world.a_run(db)

    answer = await client.post("/v1/runs/bulk-cancel-all", json={"job_id": "wanted"})

    assert answer.status_code == 200
    assert answer.json()["canceled"] == 1101
    assert set(answer.json()["run_ids"]) == {str(run.id) for run in [delayed, *queued]}
    assert (await world.the_run(db, delayed.id)).error == "canceled by user (bulk filter)"
    assert await world.status(db, executing.id) is Status.EXECUTING
    assert await world.status(db, other.id) is Status.QUEUED


async def test_filters_of_a_cancel_intersect(client, db):
    job = await world.a_job(db)
    batch_id = ids.new_id()
    run = await world.a_run(db, job=job, batch_id=batch_id, triggered_by="batch")
    await world.a_run(db, job=job, batch_id=batch_id)
    await world.a_run(db, job=job, batch_id=batch_id, triggered_by="batch", status=Status.DELAYED)

    answer = await client.post(
        "/v1/runs/bulk-cancel-all",
        json={"batch_id": str(batch_id), "triggered_by": "batch", "status": "queued"},
    )

    assert answer.json() == {"canceled": 1, "run_ids": [str(run.id)], "has_more": False}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "at least one filter is required"),
        ({"status": "executing"}, "status must be delayed or queued"),
    ],
)
async def test_a_cancel_without_a_filter_is_refused(client, db, body, message):
    run = await world.a_run(db)

    answer = await client.post("/v1/runs/bulk-cancel-all", json=body)

    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert await world.status(db, run.id) is Status.QUEUED
