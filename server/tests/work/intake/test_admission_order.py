"""The order of admission: of two refusals the earlier one answers (behaviour 2.8)."""

from itertools import combinations
from typing import Any

import pytest
import world
from msgspec import Struct

LARGE = "x" * (5 * 1024 * 1024)
SCHEMA = b'{"type":"object","required":["image"]}'


class Fault(Struct, frozen=True):
    """Something that keeps a trigger from making a run, and how that is answered.

    `job` becomes so after earlier runs were made; `quota` and `limit` are full
    with them.
    """

    status: int
    message: str
    job: dict[str, Any] = {}
    body: dict[str, Any] = {}
    path: str = ""
    quota: dict[str, int] = {}
    limit: dict[str, int] = {}
    taken: bool = False
    claimed: bool = False


IN_ORDER = {
    "no such job": Fault(404, "job not found", path="nope"),
    "disabled": Fault(400, "job is disabled", job={"enabled": False}),
    "paused": Fault(
        409, "job is paused -- resume it before triggering new runs", job={"paused": True}
    ),
    "a bad field": Fault(400, "validation failed", body={"priority": 11}),
    "reserved metadata": Fault(
        400, "metadata._a: keys that start with _ are reserved", body={"metadata": {"_a": "b"}}
    ),
    "too large": Fault(413, "payload exceeds 5242880 bytes", body={"payload": {"blob": LARGE}}),
    "against the schema": Fault(
        400, "payload validation failed: $.image is required", job={"payload_schema": SCHEMA}
    ),
    "in the past": Fault(
        400,
        "scheduled_at must not be in the past",
        body={"scheduled_at": "2020-01-01T00:00:00Z"},
    ),
    "a key that is taken": Fault(200, "", body={"idempotency_key": "k"}, taken=True),
    "a full queue": Fault(429, "project queued quota exceeded", quota={"max_queued_runs": 1}),
    "busy workers": Fault(
        429, "project executing quota exceeded", quota={"max_executing_runs": 1}, claimed=True
    ),
    "too fast": Fault(
        429,
        "job rate limit exceeded",
        limit={"rate_limit_max": 1, "rate_limit_window_secs": 60},
    ),
}


@pytest.mark.parametrize(
    ("first", "second"),
    [(name, name) for name in IN_ORDER] + list(combinations(IN_ORDER, 2)),
    ids=lambda name: name.replace(" ", "_"),
)
async def test_the_earlier_refusal_answers(db, api, client, first, second):
    faults = IN_ORDER[first], IN_ORDER[second]
    job = await a_job_with(db, api, client, faults)
    made = await world.count(db, "runs")

    answer = await client.post(
        f"/v1/jobs/{faults[0].path or job.id}/trigger", json=the_body(faults)
    )

    assert said(answer) == (faults[0].status, faults[0].message)
    assert await world.count(db, "runs") == made


@pytest.mark.parametrize("name", [name for name in IN_ORDER if not name.startswith("a key")])
async def test_a_dry_run_is_refused_as_invalid(db, api, client, name):
    fault = IN_ORDER[name]
    job = await a_job_with(db, api, client, [fault])
    made = await world.count(db, "runs")

    answer = await client.post(
        f"/v1/jobs/{fault.path or job.id}/trigger", json={"dry_run": True, **the_body([fault])}
    )

    assert answer.status_code == (404 if fault.path else 400)
    assert answer.json()["message"] == fault.message
    assert await world.count(db, "runs") == made


@pytest.mark.parametrize("name", ["disabled", "paused"])
async def test_a_bulk_asks_the_job_before_its_items(db, api, client, name):
    job = await a_job_with(db, api, client, [IN_ORDER[name]])

    for body in ({"items": [{"priority": 11}]}, {"items": []}, {"items": [{"dry_run": True}]}):
        answer = await client.post(f"/v1/jobs/{job.id}/trigger/bulk", json=body)

        assert said(answer) == (IN_ORDER[name].status, IN_ORDER[name].message)


def said(answer):
    return answer.status_code, answer.json().get("message", "")


async def a_job_with(db, api, client, faults):
    """Make a job, the runs that stand in the way, and then what is wrong with the job."""
    quota = merged(fault.quota for fault in faults)
    if quota:
        await world.a_quota(db, **quota)
    job = await world.a_job(db, **merged(fault.limit for fault in faults))
    if quota or any(fault.limit or fault.taken for fault in faults):
        key = "k" if any(fault.taken for fault in faults) else None
        answer = await client.post(f"/v1/jobs/{job.id}/trigger", json={"idempotency_key": key})
        assert answer.status_code == 201
    if any(fault.claimed for fault in faults):
        await world.claim(db, 1)
        if "max_queued_runs" in quota:
            await world.queued(db, job, 1)
    await world.change_job(db, job, **merged(fault.job for fault in faults))
    api.services.definitions.forget()
    return job


def the_body(faults):
    return {"payload": {}} | merged(fault.body for fault in faults)


def merged(parts):
    return {name: value for part in parts for name, value in part.items()}
