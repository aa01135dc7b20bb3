"""Looking at runs (api 8.3, 9.9, 16.1; behaviour 12.3; traps T73, T94)."""

import pytest
import world

from strait_server.base import ids
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import NewEvent, Status


async def test_a_queued_run_shows_what_it_is(client, db):
    job = await world.a_job(db, slug="resize")
    run = await world.a_run(
        db,
        job=job,
        payload=b'{"image":42}',
        priority=3,
        tags=b'{"src":"upload"}',
        idempotency_key="k",
    )

    answer = await client.get(f"/v1/runs/{run.id}")

    assert answer.status_code == 200
    shown = answer.json()
    assert set(shown) == {
        "id", "job_id", "job_slug", "project_id", "status", "triggered_by", "attempt", "priority",
        "job_version", "job_version_id", "lineage_depth", "debug_mode", "created_at", "updated_at",
        "expires_at", "tags", "payload", "idempotency_key", "execution_mode",
    }  # fmt: skip
    assert shown["job_slug"] == "resize"
    assert shown["payload"] == {"image": 42}
    assert shown["tags"] == {"src": "upload"}
    assert (shown["status"], shown["attempt"], shown["priority"]) == ("queued", 1, 3)


async def test_a_final_run_shows_how_it_ended(client, db):
    run = await world.a_run(db, status=Status.DEAD_LETTER)
    await db.raw.execute(
        "update runs set trace = '{1,2,3,4,5,6,7}', metadata = '{\"snooze_count\": 2}' "
        "where id = $1",
        run.id,
    )

    shown = (await client.get(f"/v1/runs/{run.id}")).json()

    assert (shown["error"], shown["error_class"]) == ("it failed", "server")
    assert shown["completed_at"] == shown["finished_at"]
    assert shown["metadata"] == {"snooze_count": "2"}
    assert shown["execution_trace"] == {
        "queue_wait_ms": 1, "dequeue_ms": 2, "connect_ms": 3, "ttfb_ms": 4, "transfer_ms": 5,
        "dispatch_ms": 6, "total_ms": 7,
    }  # fmt: skip


async def test_a_payload_of_any_size_is_shown_with_the_run_and_left_out_of_lists(client, db):
    big = b'"' + ids.token_hex(20_000).encode() + b'"'
    run = await world.a_run(db, payload=big)

    assert (await client.get(f"/v1/runs/{run.id}")).json()["payload"] == big.decode().strip('"')
    [listed] = (await client.get("/v1/runs")).json()["data"]
    assert "payload" not in listed


@pytest.mark.parametrize("named", ["nonsense", str(ids.new_id())])
async def test_what_is_no_run_is_not_found(client, named):
    answer = await client.get(f"/v1/runs/{named}")

    assert answer.status_code == 404
    assert answer.json()["message"] == "run not found"


_BY_ID = [
    ("GET", ""),
    ("DELETE", ""),
    ("GET", "/children"),
    ("GET", "/events"),
    ("GET", "/explain"),
    ("POST", "/replay"),
    ("POST", "/dlq-replay"),
    ("POST", "/reschedule"),
    ("DELETE", "/idempotency-key"),
]


@pytest.mark.parametrize(("method", "path"), _BY_ID, ids=lambda part: part.strip("/"))
async def test_another_projects_run_is_not_found(client, db, method, path):
    """T73."""
    job = await world.a_job(db, project_id="proj_2")
    run = await world.a_run(db, job=job, status=Status.DEAD_LETTER)

    answer = await client.request(
        method, f"/v1/runs/{run.id}{path}", json={"scheduled_at": "2999-01-01T00:00:00Z"}
    )

    assert answer.status_code == 404
    assert await world.status(db, run.id) is Status.DEAD_LETTER


@pytest.mark.parametrize(("method", "path"), _BY_ID, ids=lambda part: part.strip("/"))
async def test_a_scope_is_needed(enter_as, db, method, path):
    client = await enter_as(world.an_actor("jobs:read"))
    run = await world.a_run(db)

    answer = await client.request(
        method, f"/v1/runs/{run.id}{path}", json={"scheduled_at": "2999-01-01T00:00:00Z"}
    )

    assert answer.status_code == 403


async def test_our_own_services_may_look_without_naming_a_project(enter_as, db):
    client = await enter_as(world.an_actor(project_id=None))
    run = await world.a_run(db)

    assert (await client.get(f"/v1/runs/{run.id}")).status_code == 200
    assert (await client.get("/v1/runs")).status_code == 400


async def test_children_are_listed_oldest_first(client, db):
    parent = await world.a_run(db)
    children = [await world.a_run(db) for _ in range(3)]
    await db.raw.execute(
        "update runs set parent_run_id = $1 where id = any($2)",
        parent.id,
        [run.id for run in children],
    )

    first = (await client.get(f"/v1/runs/{parent.id}/children?limit=2")).json()
    rest = (
        await client.get(
            f"/v1/runs/{parent.id}/children", params={"limit": 2, "cursor": first["next_cursor"]}
        )
    ).json()

    assert [run["id"] for run in first["data"] + rest["data"]] == [str(run.id) for run in children]
    assert (first["has_more"], rest["has_more"]) == (True, False)


async def test_a_story_tells_every_move_and_what_the_code_said_in_order(client, db):
    run = await world.a_run(db, status=Status.EXECUTING)
    await db.raw.execute(
        "update runs set moves = array(select m - 16000000 * (10 - n) from unnest(moves) "
        "with ordinality as t (m, n)) where id = $1",
        run.id,
    )
    await _tell(db, run, "half way")

    story = (await client.get(f"/v1/runs/{run.id}/events")).json()

    assert [(event["type"], event["message"]) for event in story["data"]] == [
        ("state_change", "created as queued"),
        ("state_change", "queued -> dequeued"),
        ("state_change", "dequeued -> executing"),
        ("log", "half way"),
    ]
    assert story["data"][1]["data"] == {"from": "queued", "to": "dequeued"}
    assert story["data"][0]["level"] == "info"


async def test_a_moves_event_always_has_the_same_id(client, db):
    run = await world.a_run(db)
    before = (await client.get(f"/v1/runs/{run.id}/events")).json()["data"]

    await world.cancel(db, run.id)

    after = (await client.get(f"/v1/runs/{run.id}/events")).json()["data"]
    assert [event["id"] for event in after][:1] == [event["id"] for event in before]
    assert len({event["id"] for event in after}) == 2


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_a_story_is_paged_without_loss_or_repetition(client, db, limit):
    """T94: the moves of this transaction share one time, and so do its logs."""
    run = await world.a_run(db, status=Status.EXECUTING)
    for n in range(5):
        await _tell(db, run, f"line {n}")
    seen, cursor = [], ""

    while True:
        page = (
            await client.get(f"/v1/runs/{run.id}/events", params={"limit": limit, "cursor": cursor})
        ).json()
        seen += [event["id"] for event in page["data"]]
        if not page["has_more"]:
            break
        cursor = page["next_cursor"]

    assert len(seen) == len(set(seen)) == 8


async def test_a_story_can_be_filtered_by_type_and_level(client, db):
    run = await world.a_run(db, status=Status.EXECUTING)
    await _tell(db, run, "fine")
    await _tell(db, run, "bad", level="error")
    await _tell(db, run, "worse", level="critical")

    async def told(**filters):
        story = (await client.get(f"/v1/runs/{run.id}/events", params=filters)).json()["data"]
        return [event["message"] for event in story]

    assert await told(level="error") == ["bad", "worse"]
    assert await told(type="log", level="info") == ["fine"]
    assert len(await told(type="state_change")) == 3


async def test_counts_are_exact_per_status(client, db):
    await world.a_run(db, status=Status.EXECUTING)
    await world.a_run(db, status=Status.DEQUEUED)
    await world.a_run(db, status=Status.DELAYED)
    await world.a_run(db)
    await world.a_run(db, status=Status.CANCELED)
    job = await world.a_job(db, max_concurrency=1)
    await world.queued(db, job, 3)
    await world.a_run(db, job=await world.a_job(db, project_id="proj_2"))

    stats = (await client.get("/v1/stats")).json()

    assert stats == {"queued": 4, "executing": 1, "delayed": 1, "dequeued": 1}


async def _tell(db, run, message, *, level="info"):
    event = NewEvent(
        id=ids.new_id(), run_id=run.id, attempt=None, type="log", level=level, message=message
    )
    assert await queue.tell(db, [event])
