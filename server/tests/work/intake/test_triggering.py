"""What a trigger makes (behaviour 2.1, 2.5, 2.8, 2.9, 2.11, B.6; api 9.4; traps T7, T8, T95)."""

import hashlib
from datetime import timedelta

import msgspec
import pytest
import world
from msgspec import UNSET
from work.intake.triggering import ORIGIN, TOKENS, fates

from strait_server.base import clock
from strait_server.base.errors import Invalid, TooLarge
from strait_server.work.intake.service.triggers import Origin
from strait_server.work.queue.model import Status

SCHEMA = b'{"type":"object","properties":{"image":{"type":"integer"}},"required":["image"]}'


async def the_row(db, run_id):
    return await db.raw.fetchrow("select * from runs where id = $1", run_id)


async def the_payload(db, run_id):
    text = "select payload::text from run_payloads where run_id = $1"
    return (await db.raw.fetchval(text, run_id)).encode()


async def the_metadata(db, run_id):
    run = await the_row(db, run_id)
    return msgspec.json.decode(run["metadata"]) if run["metadata"] else None


async def test_a_run_is_queued_with_the_terms_of_its_job(db, process):
    job = await world.a_job(db, timeout_secs=120)

    triggered = await process.trigger(job)

    run = await the_row(db, triggered.id)
    assert triggered.status is Status.QUEUED
    assert (run["status"], run["attempt"], run["priority"]) == ("queued", 1, 0)
    assert (run["job_version"], run["job_version_id"]) == (job.version, job.version_id)
    assert (run["triggered_by"], run["created_by"]) == ("manual", ORIGIN.actor)
    assert (triggered.job_id, triggered.project_id) == (job.id, job.project_id)
    assert triggered.created_at == run["created_at"]
    assert [claimed.id for claimed in await world.claim(db, 10)] == [triggered.id]


async def test_what_was_said_is_kept(db, process):
    job = await world.a_job(db)

    triggered = await process.trigger(job, key="img-42", priority=10, concurrency_key="customer")

    run = await the_row(db, triggered.id)
    assert (run["priority"], run["concurrency_key"]) == (10, "customer")
    assert run["idempotency_key"] == "img-42"


@pytest.mark.parametrize(
    "payload",
    [
        b'{"id":9007199254740993}',
        b'{"price":1.10}',
        b'{"n":-0.0,"tiny":0.1000000000000000055511151231257827}',
        b'{"n":' + b"9" * 400 + b"}",
    ],
)
async def test_a_number_is_stored_as_it_was_written(db, process, payload):
    """T95."""
    triggered = await process.trigger(await world.a_job(db), payload=payload)

    assert await the_payload(db, triggered.id) == payload
    assert triggered.payload_hash == hashlib.sha256(payload).hexdigest()


@pytest.mark.parametrize(
    ("payload", "stored", "digest"),
    [
        (
            '{"b":1,"a":[true,null,"é"]}',
            '{"a":[true,null,"é"],"b":1}',
            "17c8c6f7f948ee1c9b93b1bc35f6edc29cbaf3022bff7d076d1c4831dd8a44a2",
        ),
        ("", "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    ],
)
async def test_the_hash_is_that_of_the_canonical_payload(db, process, payload, stored, digest):
    """B.6."""
    triggered = await process.trigger(await world.a_job(db), payload=payload.encode())

    assert triggered.payload_hash == digest
    assert (await the_payload(db, triggered.id)).decode() == stored


async def test_nul_characters_are_taken_out(db, process):
    payload = rb'{"a\u0000b":"x\u0000y","c":["\u0000"],"d":"\\u0000"}'

    triggered = await process.trigger(await world.a_job(db), payload=payload)

    assert await the_payload(db, triggered.id) == rb'{"ab":"xy","c":[""],"d":"\\u0000"}'


@pytest.mark.parametrize(
    "payload", [b"{", b'{"a":1,"a":2}', b'"\xff"', b"[" * 513 + b"]" * 513, rb'"\ud800"']
)
async def test_a_payload_that_is_no_json_is_refused(db, process, payload):
    job = await world.a_job(db)

    with pytest.raises(Invalid, match=r"^payload: "):
        await process.trigger(job, payload=payload)

    assert await world.count(db, "runs") == 0


async def test_a_payload_may_have_five_mebibytes_and_no_more(db, process):
    job = await world.a_job(db)
    text = b'"' + b"x" * (5 * 1024 * 1024 - 2)

    assert await process.trigger(job, payload=text + b'"')
    with pytest.raises(TooLarge, match=r"^payload exceeds 5242880 bytes$"):
        await process.trigger(job, payload=text + b'x"')


async def test_a_payload_has_to_fit_the_schema(db, process):
    job = await world.a_job(db, payload_schema=SCHEMA)

    with pytest.raises(Invalid) as refused:
        await process.trigger(job, payload=b'{"image":"x"}')

    assert refused.value.message == "payload validation failed: $.image must be integer"
    assert refused.value.problems == ("$.image must be integer",)
    assert await process.trigger(job, payload=b'{"image":9007199254740993}')


async def test_tags_lie_over_those_of_the_job(db, process):
    job = await world.a_job(db, tags=b'{"team":"media","src":"job"}')

    triggered = await process.trigger(job, tags={"src": "upload"})

    run = await the_row(db, triggered.id)
    assert msgspec.json.decode(run["tags"]) == {"team": "media", "src": "upload"}


async def test_metadata_lies_over_the_jobs_default(db, process):
    job = await world.a_job(db, default_run_metadata=b'{"a":"job","b":"job"}')

    triggered = await process.trigger(job, metadata={"b": "said"})

    assert await the_metadata(db, triggered.id) == {"a": "job", "b": "said"}


async def test_the_trace_of_the_caller_is_noted(db, process):
    origin = Origin(actor="a", sees_tokens=False, traceparent="00-1-2-01", tracestate="v=1")

    triggered = await process.trigger(await world.a_job(db), origin=origin)

    assert await the_metadata(db, triggered.id) == {
        "_trace_parent": "00-1-2-01",
        "_trace_state": "v=1",
    }


async def test_reserved_metadata_is_refused(db, process):
    with pytest.raises(Invalid, match=r"^metadata\._trace: keys that start with _ are reserved$"):
        await process.trigger(await world.a_job(db), metadata={"a": "b", "_trace": "x"})


async def test_a_delayed_run_waits_for_its_time(db, process):
    job = await world.a_job(db)
    later = await world.in_a_while(db)

    triggered = await process.trigger(job, scheduled_at=later)

    run = await the_row(db, triggered.id)
    assert triggered.status is Status.DELAYED
    assert (run["status"], run["scheduled_at"], run["queued_at"]) == ("delayed", later, None)
    assert await world.claim(db, 10) == []


@pytest.mark.parametrize(
    ("seconds", "refusal"),
    [
        (-2, "scheduled_at must not be in the past"),
        (-0.5, None),
        (30 * 86_400 - 5, None),
        (30 * 86_400 + 5, "scheduled_at cannot exceed 30 days from now"),
    ],
)
async def test_the_bounds_of_a_schedule_are_those_of_the_databases_clock(
    db, process, seconds, refusal
):
    job = await world.a_job(db)

    [fate] = await fates(process.trigger(job, scheduled_at=await world.in_a_while(db, seconds)))

    assert (fate.message if isinstance(fate, Invalid) else None) == refusal
    assert await world.count(db, "runs") == (refusal is None)


async def test_a_moment_just_passed_is_now(db, process):
    job = await world.a_job(db)

    triggered = await process.trigger(job, scheduled_at=await world.in_a_while(db, -0.5))

    assert triggered.status is await world.status(db, triggered.id) is Status.QUEUED
    assert len(await world.claim(db, 10)) == 1


@pytest.mark.parametrize(
    ("said", "job_ttl", "default", "lives"),
    [
        (100, 200, 300, 100),
        (0, 200, 300, 200),
        (None, 200, 300, 200),
        (None, 0, 300, 300),
        (None, 0, 0, 180),
    ],
)
async def test_a_run_expires_by_the_first_rule_that_is_set(
    db, start, said, job_ttl, default, lives
):
    """T7."""
    process = await start(default_ttl_secs=default)
    job = await world.a_job(db, run_ttl_secs=job_ttl, timeout_secs=120)

    triggered = await process.trigger(job, ttl_secs=said)

    run = await the_row(db, triggered.id)
    assert run["expires_at"] - run["created_at"] == timedelta(seconds=lives)


async def test_a_delayed_run_expires_counting_from_its_time(db, process):
    """T7."""
    later = await world.in_a_while(db)

    triggered = await process.trigger(await world.a_job(db), scheduled_at=later, ttl_secs=60)

    run = await the_row(db, triggered.id)
    assert run["expires_at"] == later + timedelta(seconds=60)


async def test_a_run_past_its_expiry_is_not_handed_out(db, process):
    """T8."""
    triggered = await process.trigger(await world.a_job(db), ttl_secs=60)
    await db.raw.execute("update queue set expires_at = now()")

    claimed = await world.claim(db, 10)

    assert not any(run.lease_id for run in claimed)
    assert await world.status(db, triggered.id) is Status.EXPIRED


async def test_projects_whose_ids_and_keys_read_alike_share_no_places(db, process):
    """T6: the key `b:c` of `a` is not the key `c` of `a:b`."""
    one = await world.a_job(db, project_id="a", max_concurrency_per_key=1)
    other = await world.a_job(db, project_id="a:b", max_concurrency_per_key=1)
    for _ in range(2):
        await process.trigger(one, concurrency_key="b:c")
        await process.trigger(other, concurrency_key="c")

    claimed = await world.claim(db, 10)

    assert {run.project_id for run in claimed} == {"a", "a:b"}
    assert len(claimed) == 2


async def test_outside_its_window_a_run_is_delayed_until_it_opens(db, process):
    opens_at = await db.raw.fetchval("select date_trunc('minute', now()) + interval '5 hours'")
    window = f"{opens_at.minute} {opens_at.hour} * * *"
    job = await world.a_job(db, execution_window_cron=window)

    triggered = await process.trigger(job, ttl_secs=60)

    run = await the_row(db, triggered.id)
    assert triggered.status is Status.DELAYED
    assert (run["status"], run["scheduled_at"]) == ("delayed", opens_at)
    assert run["expires_at"] == opens_at + timedelta(seconds=60)


@pytest.mark.parametrize("zones", [("Asia/Tokyo", "UTC"), (None, "Asia/Tokyo")])
async def test_the_zone_of_a_window_is_the_jobs_else_the_projects(db, process, zones):
    await world.a_project(db)
    await db.raw.execute("update projects set timezone = $1", zones[1])
    opens_at = await db.raw.fetchval("select date_trunc('minute', now()) + interval '5 hours'")
    there = opens_at + timedelta(hours=9)
    window = f"{there.minute} {there.hour} * * *"
    job = await world.a_job(db, execution_window_cron=window, timezone=zones[0])

    triggered = await process.trigger(job)

    assert (await the_row(db, triggered.id))["scheduled_at"] == opens_at


async def test_inside_its_window_a_run_starts_at_once(db, process):
    job = await world.a_job(db, execution_window_cron="* * * * *")

    triggered = await process.trigger(job)

    assert triggered.status is Status.QUEUED
    assert (await the_row(db, triggered.id))["scheduled_at"] is None


async def test_a_token_speaks_for_the_run_as_long_as_it_may_live(db, process):
    job = await world.a_job(db, timeout_secs=600)
    later = await world.in_a_while(db, 7200)

    triggered = await process.trigger(job, scheduled_at=later, ttl_secs=60)

    claims = TOKENS.verify(triggered.run_token, now=clock.unix())
    assert (claims.run_id, claims.project_id) == (triggered.id, world.PROJECT)
    assert claims.attempt is None
    assert claims.expires_at >= later.timestamp() + 600 + 60


async def test_a_token_is_not_for_everybody(db, process):
    job = await world.a_job(db)
    origin = Origin(actor="a", sees_tokens=False)

    triggered = await process.trigger(job, origin=origin)
    bulk = await process.bulk(job, [{}], origin=origin)

    assert triggered.run_token is UNSET
    assert bulk.results[0].run_token is UNSET
