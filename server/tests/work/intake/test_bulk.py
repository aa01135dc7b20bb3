"""Bulk triggers (behaviour 2.17; api 9.4, 16.2; trap T88)."""

import msgspec
import pytest
import world
from work.intake.triggering import fates, tally

from strait_server.base.errors import Invalid, TooLarge
from strait_server.work.intake.service import batches
from strait_server.work.queue.model import Status

SCHEMA = b'{"type":"object","required":["image"]}'


async def test_all_items_become_runs_of_one_batch(db, process):
    job = await world.a_job(db, tags=b'{"team":"media"}')
    later = await world.in_a_while(db)

    bulk = await process.bulk(
        job,
        [
            {"payload": b'{"n":1}', "priority": 3, "tags": {"src": "a"}},
            {"payload": b'{"n":2}', "scheduled_at": later},
        ],
    )

    assert [result.status for result in bulk.results] == [Status.QUEUED, Status.DELAYED]
    assert (bulk.total, bulk.created) == (2, 2)
    rows = await db.raw.fetch(
        "select * from runs where batch_id = $1 order by scheduled_at nulls first", bulk.batch_id
    )
    assert [row["id"] for row in rows] == [result.id for result in bulk.results]
    assert [row["status"] for row in rows] == ["queued", "delayed"]
    assert {row["triggered_by"] for row in rows} == {"manual"}
    assert msgspec.json.decode(rows[0]["tags"]) == {"team": "media", "src": "a"}
    assert rows[0]["priority"] == 3


async def test_a_bulk_is_remembered(db, process):
    job = await world.a_job(db)
    await process.trigger(job, key="k")

    bulk = await process.bulk(job, [{}, {"idempotency_key": "k"}, {}])

    batch = await batches.get(db, world.PROJECT, bulk.batch_id)
    assert (batch.item_count, batch.created_count) == (3, 2)
    assert (batch.job_id, batch.created_by) == (job.id, "apikey:somebody")
    assert batch.finished_at is not None


async def test_a_bulk_that_makes_nothing_is_remembered_too(db, process):
    job = await world.a_job(db)
    await process.trigger(job, key="k")

    bulk = await process.bulk(job, [{"idempotency_key": "k"}])

    assert bulk.created == 0
    assert (await batches.get(db, world.PROJECT, bulk.batch_id)).created_count == 0


async def test_an_item_answers_its_run_and_no_more(db, process):
    """Api 16.2."""
    job = await world.a_job(db)
    earlier = await process.trigger(job, key="k")

    bulk = await process.bulk(job, [{}, {"idempotency_key": "k"}])

    made, hit = msgspec.to_builtins(bulk)["results"]
    assert set(made) == {"id", "status", "run_token", "idempotency_hit"}
    assert hit == {
        "id": str(earlier.id),
        "status": "queued",
        "run_token": "",
        "idempotency_hit": True,
    }


@pytest.mark.parametrize(
    ("item", "refusal"),
    [
        ({"metadata": {"_a": "b"}}, "metadata._a: keys that start with _ are reserved"),
        ({"payload": b"{}"}, "payload validation failed: $.image is required"),
        ({"payload": b"{"}, "payload: "),
        ({"dry_run": True}, "dry_run is not possible in a bulk trigger"),
    ],
)
async def test_one_bad_item_refuses_the_bulk_and_is_named(db, process, item, refusal):
    job = await world.a_job(db, payload_schema=SCHEMA)
    good = {"payload": b'{"image":1}', "idempotency_key": "k"}

    with pytest.raises(Invalid) as refused:
        await process.bulk(job, [good, {**good, **item}, good])

    assert refused.value.message.startswith(f"items[1]: {refusal}")
    await nothing_is_made(db)


@pytest.mark.parametrize("seconds", [-5, 31 * 86_400])
@pytest.mark.parametrize("count", [1, 3])
async def test_an_item_out_of_the_schedules_bounds_is_named(db, process, seconds, count):
    job = await world.a_job(db)
    bad = {"scheduled_at": await world.in_a_while(db, seconds)}

    with pytest.raises(Invalid, match=rf"^items\[{count - 1}\]: scheduled_at "):
        await process.bulk(job, [*[{"idempotency_key": "k"}] * (count - 1), bad])

    await nothing_is_made(db)


async def test_an_item_that_is_too_large_is_named(db, process):
    job = await world.a_job(db)
    large = b'"' + b"x" * (5 * 1024 * 1024) + b'"'

    with pytest.raises(TooLarge, match=r"^items\[1\]: payload exceeds "):
        await process.bulk(job, [{}, {"payload": large}])


@pytest.mark.parametrize("count", [0, 501])
async def test_a_bulk_has_one_to_five_hundred_items(db, process, count):
    job = await world.a_job(db)

    with pytest.raises(Invalid, match=r"^items: must have 1 to 500 entries$"):
        await process.bulk(job, [{}] * count)

    assert (await process.bulk(job, [{}] * 500)).created == 500


async def test_the_operator_may_set_another_maximum(db, start):
    process = await start(max_bulk_items=2)
    job = await world.a_job(db)

    with pytest.raises(Invalid, match=r"^items: must have 1 to 2 entries$"):
        await process.bulk(job, [{}] * 3)


async def test_a_bulk_over_a_limit_makes_nothing(db, process):
    """T88."""
    job = await world.a_job(db, rate_limit_max=2, rate_limit_window_secs=60)

    made = await fates(process.bulk(job, [{"idempotency_key": "k"}, {}, {}]))

    assert tally(made) == {"job rate limit exceeded": 1}
    await nothing_is_made(db)


async def nothing_is_made(db):
    for table in ("runs", "run_payloads", "queue", "scheduled", "idempotency_keys"):
        assert await world.count(db, table) == 0
    assert await world.count(db, "batch_operations") == 0
