"""Dry runs: what a trigger would make (behaviour 2.8 #6; api 9.4)."""

from datetime import timedelta

import msgspec
import pytest
import world
from msgspec import UNSET

from strait_server.base.errors import Invalid


@pytest.fixture
async def plan(db, process):
    async def plan(job, **said):
        return await process.plan(db, job, **said)

    return plan


async def test_a_plan_tells_what_would_be(db, plan):
    job = await world.a_job(db, run_ttl_secs=600)
    later = await world.in_a_while(db)

    told = await plan(job, payload=b'{"b":1,"a":2}', scheduled_at=later)

    assert bytes(told.payload) == b'{"a":2,"b":1}'
    assert len(told.payload_hash) == 64
    assert told.scheduled_at == later
    assert told.expires_at == later + timedelta(seconds=600)
    assert told.validation_warnings is UNSET


async def test_a_plan_makes_nothing(db, plan):
    await world.a_quota(db, max_queued_runs=1)
    job = await world.a_job(db, rate_limit_max=1, rate_limit_window_secs=60)

    for _ in range(3):
        await plan(job, key="k")

    for table in ("runs", "queue", "idempotency_keys", "rate_limit_buckets", "batch_operations"):
        assert await world.count(db, table) == 0


async def test_a_plan_keeps_the_secrets_of_the_job(db, plan):
    job = await world.a_job(db, endpoint_secret="sealed words")

    shown = msgspec.to_builtins((await plan(job)).job)

    assert shown["id"] == str(job.id)
    assert shown["endpoint_secret_set"] is True
    assert "sealed words" not in shown.values()
    assert not {"revision", "project_timezone", "metered"} & set(shown)


async def test_a_plan_warns_of_a_key_that_is_taken(db, process, plan):
    job = await world.a_job(db)
    await process.trigger(job, key="k")

    told = await plan(job, key="k")

    assert told.validation_warnings == ("the idempotency key is taken",)


async def test_a_plan_waits_for_the_window(db, plan):
    opens_at = await db.raw.fetchval("select date_trunc('minute', now()) + interval '5 hours'")
    window = f"{opens_at.minute} {opens_at.hour} * * *"
    job = await world.a_job(db, execution_window_cron=window)

    assert (await plan(job)).scheduled_at == opens_at


@pytest.mark.parametrize(
    ("columns", "said", "refusal"),
    [
        ({"enabled": False}, {}, "job is disabled"),
        ({"paused": True}, {}, "job is paused -- resume it before triggering new runs"),
        ({}, {"metadata": {"_a": "b"}}, "metadata._a: keys that start with _ are reserved"),
        ({"payload_schema": b'{"type":"array"}'}, {}, "payload validation failed: $ must be array"),
        ({"rate_limit_max": 1, "rate_limit_window_secs": 60}, {}, "job rate limit exceeded"),
    ],
)
async def test_every_refusal_is_invalid(db, process, plan, columns, said, refusal):
    job = await world.a_job(
        db, **{name: columns[name] for name in columns if name.startswith("rate")}
    )
    await process.trigger(job)
    await world.change_job(db, job, **columns)
    job = await world.the_job(db, job.id)

    with pytest.raises(Invalid) as refused:
        await plan(job, **said)

    assert refused.value.message == refusal


async def test_a_full_quota_is_invalid_too(db, process, plan):
    await world.a_quota(db, max_queued_runs=1)
    job = await world.a_job(db)
    await process.trigger(job)

    with pytest.raises(Invalid, match=r"^project queued quota exceeded$"):
        await plan(job)


async def test_what_is_too_large_is_invalid_too(db, plan):
    with pytest.raises(Invalid, match=r"^payload exceeds "):
        await plan(await world.a_job(db), payload=b'"' + b"x" * (5 * 1024 * 1024) + b'"')
