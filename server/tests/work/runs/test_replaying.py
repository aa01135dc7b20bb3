"""Trying again (api 9.9, 9.10; behaviour 1.4 #23, 2.6, 2.16; traps T13, T19, T21, T73)."""

import pytest
import world

from strait_server.base import ids
from strait_server.work.queue.model import FINAL, Status

REPLAYABLE = sorted(FINAL - {Status.COMPLETED})


@pytest.mark.parametrize("status", REPLAYABLE)
async def test_a_run_that_did_not_complete_can_be_replayed(client, db, status):
    run = await world.a_run(
        db,
        status=status,
        payload=b'{"image":42}',
        priority=4,
        tags=b'{"team":"media"}',
        metadata=b'{"customer":"c1","_error_hash":"x","snooze_count":3}',
        concurrency_key="c1",
        idempotency_key="once",
    )

    answer = await client.post(f"/v1/runs/{run.id}/replay")

    assert answer.status_code == 201
    again = answer.json()
    assert again["id"] != str(run.id)
    assert (again["status"], again["attempt"], again["triggered_by"]) == ("queued", 1, "manual")
    assert (again["payload"], again["priority"]) == ({"image": 42}, 4)
    assert (again["tags"], again["metadata"]) == ({"team": "media"}, {"customer": "c1"})
    assert again["concurrency_key"] == "c1"
    assert again["created_by"] == "apikey:somebody"
    assert "idempotency_key" not in again
    assert await world.status(db, run.id) is status


async def test_a_replay_is_made_by_the_job_as_it_is_now(client, db):
    """T21."""
    run = await world.a_run(db, status=Status.DEAD_LETTER)
    job = await world.the_job(db, run.job_id)
    await world.change_job(db, job, version=7, version_id="ver_new")

    again = (await client.post(f"/v1/runs/{run.id}/replay")).json()

    assert (again["job_version"], again["job_version_id"]) == (7, "ver_new")
    replay_of = await db.raw.fetchval("select replay_of from runs where id = $1", again["id"])
    assert replay_of == run.id


async def test_a_replay_passes_its_jobs_gates(client, db):
    job = await world.a_job(db, max_concurrency=1)
    run = await world.a_run(db, job=job, status=Status.FAILED)
    [holder] = await world.queued(db, job, 1)

    again = (await client.post(f"/v1/runs/{run.id}/replay")).json()

    assert [one.id for one in await world.claim(db, 10)] == [holder.id]
    assert await db.raw.fetchval("select count(*) from blocked where run_id = $1", again["id"]) == 1


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.QUEUED, Status.EXECUTING])
async def test_any_other_run_cannot_be_replayed(client, db, status):
    run = await world.a_run(db, status=status)

    answer = await client.post(f"/v1/runs/{run.id}/replay")

    assert (answer.status_code, answer.json()["message"]) == (400, "run is not replayable")


async def test_a_run_of_a_disabled_job_cannot_be_replayed(client, db):
    run = await world.a_run(db, status=Status.FAILED)
    await world.change_job(db, await world.the_job(db, run.job_id), enabled=False)

    answer = await client.post(f"/v1/runs/{run.id}/replay")

    assert (answer.status_code, answer.json()["message"]) == (400, "job not found or disabled")


async def test_a_checkpoint_that_is_not_there_is_not_replayed_from(client, db):
    run = await world.a_run(db, status=Status.FAILED)

    assert (await client.post(f"/v1/runs/{run.id}/replay?from_checkpoint=3")).status_code == 404
    assert (await client.post(f"/v1/runs/{run.id}/replay?from_checkpoint=0")).status_code == 400
    assert (await client.post(f"/v1/runs/{run.id}/replay?from_checkpoint=x")).status_code == 400


async def test_some_are_replayed_and_of_each_is_said_what_became_of_it(client, db):
    failed = await world.a_run(db, status=Status.FAILED)
    done = await world.a_run(db, status=Status.COMPLETED)
    orphan = await world.a_run(db, status=Status.CRASHED)
    await world.change_job(db, await world.the_job(db, orphan.job_id), enabled=False)
    foreign = await world.a_run(
        db, job=await world.a_job(db, project_id="proj_2"), status=Status.FAILED
    )
    named = [str(run.id) for run in (failed, done, orphan, foreign)]

    answer = await client.post("/v1/runs/bulk-replay", json={"run_ids": named})

    assert answer.status_code == 200
    replayed, skipped, without_job, unknown = answer.json()["results"]
    assert (answer.json()["total"], answer.json()["replayed"]) == (4, 1)
    assert replayed["status"] == "replayed"
    assert await world.status(db, replayed["new_run_id"]) is Status.QUEUED
    assert skipped == {
        "original_run_id": named[1], "status": "skipped", "error": "run is not replayable",
    }  # fmt: skip
    assert without_job == {
        "original_run_id": named[2], "status": "failed", "error": "job not found or disabled",
    }  # fmt: skip
    assert unknown == {"original_run_id": named[3], "status": "failed", "error": "run not found"}


@pytest.mark.parametrize("path", ["/v1/runs/{}/dlq-replay", "/v1/runs/dlq/{}/replay"])
async def test_a_dead_letter_is_put_back_as_a_first_attempt(client, db, path):
    """T13, T19."""
    run = await world.a_run(
        db, status=Status.DEAD_LETTER, metadata=b'{"_error_hash":"x","_error_hash_count":"3"}'
    )
    await db.raw.execute(
        "update runs set attempt = 3, expires_at = now() - interval '1 day' where id = $1", run.id
    )

    answer = await client.post(path.format(run.id))

    assert answer.status_code == 200
    again = answer.json()
    assert (again["id"], again["status"], again["attempt"]) == (str(run.id), "queued", 1)
    assert not {"error", "error_class", "finished_at", "started_at", "metadata"} & set(again)
    assert again["expires_at"] > again["created_at"]
    assert [one.id for one in await world.claim(db, 10)] == [run.id]
    assert (await client.get("/v1/runs/dlq")).json()["data"] == []


@pytest.mark.parametrize("status", [Status.FAILED, Status.QUEUED, Status.COMPLETED])
async def test_what_is_no_dead_letter_is_not_put_back(client, db, status):
    run = await world.a_run(db, status=status)

    answer = await client.post(f"/v1/runs/{run.id}/dlq-replay")

    assert (answer.status_code, answer.json()["message"]) == (409, "run is not dead_letter")


async def test_a_dead_letter_without_its_job_stays_one(client, db):
    run = await world.a_run(db, status=Status.DEAD_LETTER)
    await db.raw.execute("delete from jobs where id = $1", run.job_id)

    answer = await client.post(f"/v1/runs/{run.id}/dlq-replay")

    assert answer.status_code == 409
    assert answer.json()["message"] == "the job of the dead letter does not exist any more"
    assert await world.status(db, run.id) is Status.DEAD_LETTER


async def test_a_dead_letter_passes_its_jobs_gates_again(client, db):
    job = await world.a_job(db, max_concurrency=1)
    runs = [await world.a_run(db, job=job, status=Status.DEAD_LETTER) for _ in range(2)]

    for run in runs:
        await client.post(f"/v1/runs/{run.id}/dlq-replay")

    assert [one.id for one in await world.claim(db, 10)] == [runs[0].id]


async def test_named_dead_letters_are_put_back_together(client, db):
    """T73: what is not the project's, or no dead letter, is passed over."""
    dead = [await world.a_run(db, status=Status.DEAD_LETTER) for _ in range(2)]
    foreign = await world.a_run(
        db, job=await world.a_job(db, project_id="proj_2"), status=Status.DEAD_LETTER
    )
    failed = await world.a_run(db, status=Status.FAILED)
    named = [str(run.id) for run in (*dead, foreign, failed)]

    answer = await client.post("/v1/runs/bulk-dlq-replay", json={"run_ids": named})

    assert answer.status_code == 200
    assert answer.json()["count"] == 2
    assert [run["id"] for run in answer.json()["replayed"]] == named[:2]
    assert await world.status(db, foreign.id) is Status.DEAD_LETTER


@pytest.mark.parametrize("body", [{}, {"project_id": "proj_1"}, {"limit": 2}])
async def test_a_projects_dead_letters_are_put_back_up_to_a_limit(client, db, body):
    for _ in range(3):
        await world.a_run(db, status=Status.DEAD_LETTER)

    answer = await client.post("/v1/runs/bulk-dlq-replay", json=body)

    assert answer.json()["count"] == body.get("limit", 3)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 409, "no dead letter runs found"),
        ({"run_ids": ["x"]}, 409, "no dead letter runs found"),
        ({"run_ids": ["x"], "project_id": "proj_1"}, 400, "provide either run_ids or project_id"),
        ({"run_ids": ["x"] * 501}, 400, "too many run_ids (max 500)"),
        ({"limit": 501}, 400, "limit must be <= 500"),
        ({"limit": 0}, 400, "limit must be a positive integer"),
        ({"project_id": "proj_2"}, 403, "access denied"),
    ],
)
async def test_what_dead_letters_are_meant_must_be_clear(client, db, body, status, message):
    answer = await client.post("/v1/runs/bulk-dlq-replay", json=body)

    assert (answer.status_code, answer.json()["message"]) == (status, message)


async def test_a_caller_without_a_project_must_say_which(enter_as):
    client = await enter_as(world.an_actor(project_id=None))

    answer = await client.post("/v1/runs/bulk-dlq-replay", json={"run_ids": []})

    assert answer.json()["message"] == "provide either run_ids or project_id"


async def test_the_key_of_a_run_can_be_freed(client, db):
    run = await world.a_run(db, idempotency_key="once")
    await db.raw.execute(
        "insert into idempotency_keys (job_id, key, run_id) values ($1, 'once', $2)",
        run.job_id,
        run.id,
    )

    answer = await client.delete(f"/v1/runs/{run.id}/idempotency-key")

    assert answer.status_code == 200
    assert answer.json() == {"status": "reset", "run_id": str(run.id)}
    assert await world.count(db, "idempotency_keys") == 0


@pytest.mark.parametrize("status", [Status.DEQUEUED, Status.EXECUTING, Status.WAITING])
async def test_the_key_of_a_run_that_is_under_way_stays(client, db, status):
    run = await world.a_run(db, idempotency_key="once", status=status)
    await db.raw.execute(
        "insert into idempotency_keys (job_id, key, run_id) values ($1, 'once', $2)",
        run.job_id,
        run.id,
    )

    answer = await client.delete(f"/v1/runs/{run.id}/idempotency-key")

    assert answer.status_code == 404
    assert answer.json()["message"] == "run not found or not eligible for idempotency reset"
    assert await world.count(db, "idempotency_keys") == 1


async def test_more_replays_than_a_hundred_are_refused(client):
    many = [str(ids.new_id()) for _ in range(101)]

    assert (await client.post("/v1/runs/bulk-replay", json={"run_ids": many})).status_code == 400
