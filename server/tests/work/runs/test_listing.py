"""Lists of runs (api 4, 9.9, 9.10; behaviour 1.1; traps T27q, T94)."""

import json
from datetime import timedelta

import pytest
import world

from strait_server.base import ids
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import FINAL, CancelReason, Status

OUT_OF_RANGE = "a number is out of range: at most 4300 digits and an exponent of at most 9999"
SEEN = [status for status in Status if status not in {Status.REPLAY_STAGED, Status.PAUSED}]


async def listed(client, path="/v1/runs", **filters):
    answer = await client.get(path, params=filters)
    assert answer.status_code == 200, answer.text
    return [run["id"] for run in answer.json()["data"]]


def named(runs):
    """Their ids, the newest first."""
    return [str(run.id) for run in reversed(runs)]


@pytest.mark.parametrize("status", SEEN)
async def test_a_run_is_listed_by_its_status_and_by_no_other(client, db, status):
    run = await world.a_run(db, status=status)

    assert await listed(client, status=status) == [str(run.id)]
    for other in set(SEEN) - {status}:
        assert await listed(client, status=other) == []


async def test_several_statuses_are_listed_together_the_newest_first(client, db):
    wanted = [Status.EXECUTING, Status.DEAD_LETTER, Status.CANCELED, Status.DELAYED, Status.QUEUED]
    await world.a_run(db, status=Status.FAILED)
    runs = [await world.a_run(db, status=status) for status in wanted]

    assert await listed(client, statuses=",".join(wanted)) == named(runs)
    assert await listed(client, statuses=wanted) == named(runs)
    assert await listed(client, status="queued", statuses=wanted) == [str(runs[-1].id)]
    assert await listed(client, status="failed", statuses=wanted) == []


@pytest.mark.parametrize("reason", ["retry", "snooze"])
async def test_a_run_that_waits_for_its_next_attempt_is_queued(client, db, reason):
    run = await world.a_run(db)
    await db.raw.execute("delete from queue")
    await db.raw.execute(
        "insert into scheduled (run_id, due_at, reason, priority, job_id, project_id) "
        "values ($1, now(), $2, 0, $3, $4)",
        run.id, reason, run.job_id, run.project_id,
    )  # fmt: skip

    assert await listed(client, status="queued") == [str(run.id)]
    assert await listed(client, status="delayed") == []


async def test_what_the_queue_still_says_of_a_canceled_run_is_passed_over(client, db):
    """More of them than are looked at first."""
    job = await world.a_job(db)
    waiting = await world.queued(db, job, 3)
    gone = [run for _ in range(3) for run in await world.queued(db, job, 1000)]
    await queue.cancel(db, job.project_id, [run.id for run in gone], reason=CancelReason.USER)
    assert await world.count(db, "queue") == 3003

    assert await listed(client, status="queued") == named(waiting)


async def test_runs_at_a_gate_are_queued(client, db):
    job = await world.a_job(db, max_concurrency=1)
    runs = await world.queued(db, job, 3)

    assert await listed(client, status="queued") == named(runs)


async def test_filters_intersect(client, db):
    """T27q."""
    job = await world.a_job(db, slug="wanted")
    tagged = {"tags": b'{"team":"media"}', "payload": b'{"image":42,"size":{"w":1}}'}
    run = await world.a_run(db, status=Status.DEAD_LETTER, job=job, **tagged)
    for others in [
        {"status": Status.DEAD_LETTER, "job": job, "tags": b'{"team":"mail"}'},
        {"status": Status.CANCELED, "job": job, **tagged},
        {"status": Status.DEAD_LETTER, **tagged},
    ]:
        await world.a_run(db, **others)

    filters = {
        "status": "dead_letter",
        "job_id": "wanted",
        "tag_key": "team",
        "tag_value": "media",
        "error_class": "server",
        "triggered_by": "manual",
        "execution_mode": "http",
        "payload_contains": json.dumps({"size": {"w": 1}}),
    }

    assert await listed(client, **filters) == [str(run.id)]
    for name, other in {
        "status": "failed",
        "job_id": "unknown",
        "tag_value": "mail2",
        "error_class": "client",
        "triggered_by": "cron",
        "execution_mode": "managed",
        "payload_contains": json.dumps({"size": {"w": 2}}),
        "workflow_run_id": str(ids.new_id()),
        "batch_id": str(ids.new_id()),
    }.items():
        assert await listed(client, **{**filters, name: other}) == [], name


async def test_metadata_and_batch_and_time_are_filters_too(client, db):
    batch_id = ids.new_id()
    run = await world.a_run(db, metadata=b'{"customer":"c1"}', batch_id=batch_id)
    other = await world.a_run(db)
    created = await db.raw.fetchval("select created_at from runs where id = $1", run.id)
    before, after = (created + timedelta(seconds=s) for s in (-1, 1))

    assert await listed(client, metadata_key="customer") == [str(run.id)]
    assert await listed(client, metadata_key="customer", metadata_value="c2") == []
    assert await listed(client, batch_id=batch_id) == [str(run.id)]
    assert await listed(client, batch_id=batch_id, status="executing") == []
    assert len(await listed(client, created_after=before.isoformat())) == 2
    assert await listed(client, created_after=after.isoformat()) == []
    assert await listed(client, created_before=before.isoformat()) == []
    assert set(await listed(client, created_before=after.isoformat(), status="queued")) == {
        str(run.id), str(other.id),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"status": "done"}, "status is invalid"),
        ({"statuses": "queued,done"}, "status is invalid"),
        ({"error_class": "bad"}, "error_class is invalid"),
        ({"execution_mode": "bad"}, "execution_mode is invalid"),
        ({"triggered_by": "bad"}, "triggered_by is invalid"),
        ({"batch_id": "bad"}, "batch_id is invalid"),
        ({"tag_value": "x"}, "tag_value requires tag_key"),
        ({"metadata_value": "x"}, "metadata_value requires metadata_key"),
        ({"tag_key": "x", "metadata_key": "y"}, "tag_key and metadata_key cannot be combined"),
        ({"payload_contains": "{"}, "payload_contains must be a JSON document"),
        (
            {"payload_contains": "1e99999"},
            f"payload_contains: {OUT_OF_RANGE}",
        ),
        ({"created_after": "yesterday"}, "created_after must be an RFC 3339 time"),
        ({"created_before": "2026-01-01T00:00:00"}, "created_before must have a time zone"),
        ({"limit": "0"}, "limit must be a positive integer"),
        ({"cursor": "?"}, "invalid cursor format"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_filter_that_makes_no_sense_is_refused(client, filters, message):
    answer = await client.get("/v1/runs", params=filters)

    assert answer.status_code == 400
    assert answer.json()["message"] == message


@pytest.mark.parametrize("filters", [{}, {"status": "queued"}, {"status": "dead_letter"}])
async def test_a_thousand_runs_of_one_moment_are_paged_without_loss(client, db, filters):
    """T94: all of them have the same `created_at`."""
    job = await world.a_job(db)
    await world.queued(db, job, 1000)
    if filters.get("status") == "dead_letter":
        await db.raw.execute("update runs set status = 'dead_letter', finished_at = now()")
        await db.raw.execute(
            "insert into unsuccessful_runs (run_id, project_id, job_id, status) "
            "select id, project_id, job_id, status from runs"
        )
    seen, cursor = [], ""

    while True:
        page = (
            await client.get("/v1/runs", params={**filters, "limit": 100, "cursor": cursor})
        ).json()
        seen += [run["id"] for run in page["data"]]
        if not page["has_more"]:
            break
        cursor = page["next_cursor"]

    assert len(seen) == len(set(seen)) == 1000
    assert seen == sorted(seen, reverse=True)


async def test_an_empty_list_is_a_list(client):
    assert (await client.get("/v1/runs")).json() == {"data": [], "has_more": False}


async def test_a_plain_time_is_a_cursor_too(client, db):
    run = await world.a_run(db)
    soon = await world.in_a_while(db)

    assert await listed(client, cursor=soon.isoformat()) == [str(run.id)]
    assert await listed(client, cursor="2001-01-01T00:00:00Z") == []


async def test_only_the_projects_own_runs_are_listed(client, db):
    foreign = await world.a_job(db, project_id="proj_2", slug="theirs")
    for status in SEEN:
        await world.a_run(db, status=status, job=foreign)

    assert await listed(client) == []
    assert await listed(client, job_id=str(foreign.id)) == []
    assert await listed(client, job_id="theirs") == []
    for status in SEEN:
        assert await listed(client, status=status) == []


@pytest.mark.parametrize("reference", ["id", "slug"])
@pytest.mark.parametrize("status", [None, "dead_letter", "queued"])
async def test_the_runs_of_a_job_are_listed_by_its_id_and_slug(client, db, reference, status):
    job = await world.a_job(db, slug="resize")
    runs = [
        await world.a_run(db, job=job, status=Status.DEAD_LETTER),
        await world.a_run(db, job=job),
    ]
    await world.a_run(db)
    path = f"/v1/jobs/{job.id if reference == 'id' else job.slug}/runs"
    wanted = [run for run in runs if status in {None, run.status}]

    assert await listed(client, path, **({"status": status} if status else {})) == named(wanted)


async def test_the_runs_of_an_unknown_job_are_not_found(client, db):
    foreign = await world.a_job(db, project_id="proj_2")

    assert (await client.get("/v1/jobs/nope/runs")).status_code == 404
    assert (await client.get(f"/v1/jobs/{foreign.id}/runs")).status_code == 404


async def test_dead_letters_have_a_list_of_their_own(client, db):
    runs = [await world.a_run(db, status=Status.DEAD_LETTER) for _ in range(3)]
    for status in FINAL - {Status.DEAD_LETTER}:
        await world.a_run(db, status=status)

    first = (await client.get("/v1/runs/dlq?limit=2")).json()
    rest = (await client.get("/v1/runs/dlq", params={"cursor": first["next_cursor"]})).json()

    assert [run["id"] for run in first["data"] + rest["data"]] == named(runs)


async def test_bulk_triggers_are_listed_with_how_their_runs_stand(client, db):
    job = await world.a_job(db)
    batch_id = ids.new_id()
    await db.raw.execute(
        "insert into batch_operations (id, project_id, job_id, item_count, created_count) "
        "values ($1, $2, $3, 2, 2)",
        batch_id, job.project_id, job.id,
    )  # fmt: skip
    await world.a_run(db, job=job, batch_id=batch_id, status=Status.COMPLETED)
    await world.a_run(db, job=job, batch_id=batch_id)

    [listed] = (await client.get("/v1/batch-operations")).json()["data"]
    found = (await client.get(f"/v1/batch-operations/{batch_id}")).json()

    assert listed["id"] == str(batch_id)
    assert found["run_counts"] == {"completed": 1, "queued": 1}
    for nothing in (ids.new_id(), "nonsense"):
        answer = await client.get(f"/v1/batch-operations/{nothing}")
        assert (answer.status_code, answer.json()["message"]) == (404, "batch operation not found")
