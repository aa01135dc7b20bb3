"""PostgreSQL goes away for a while (behaviour D4, 14.5; api 3; T23q, T121)."""

import asyncio
import time

from journeys.endpoint import works_for
from journeys.machine import eventually
from journeys.stage import check
from journeys.storm import Fault, Storm

OUTAGE = 3.0
SLOWEST_REFUSAL = 3.0  # seconds: two for a connection, and a busy machine


async def test_the_api_says_when_to_come_back_and_keeps_what_it_promised(wreck):
    """No customer hears anything but 201, or 503 with `Retry-After`; see `Customers`."""
    storm = Storm(wreck, 4)

    async def an_outage():
        await asyncio.gather(storm.one(Fault.POSTGRES, outage=OUTAGE), look_at_health(wreck))
        await eventually(lambda: is_ready(wreck), within=10)

    await storm.rage(an_outage)

    assert storm.customers.answers["503"]
    check(await storm.verdict())


async def look_at_health(wreck):
    """While the database is away the process lives, but cannot serve."""
    await eventually(lambda: is_unready(wreck), within=5)
    assert (await wreck.client.get("/health")).status_code == 200
    began = time.monotonic()
    answers = [await wreck.post("/v1/jobs/steady/trigger", {}) for _ in range(3)]
    jobs = await wreck.client.get("/v1/jobs", headers=wreck.credentials)
    assert time.monotonic() - began < SLOWEST_REFUSAL
    for answer in (*answers, jobs, await wreck.client.get("/health/ready")):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["code"] == "service_unavailable"


async def is_ready(wreck):
    return (await wreck.client.get("/health/ready")).status_code == 200


async def is_unready(wreck):
    return not await is_ready(wreck)


async def test_outcomes_wait_for_the_database_and_are_not_asked_for_twice(wreck):
    """D4: the endpoints answer while nobody can write it down."""
    wreck.endpoint.play("d4", works_for(1))
    await wreck.job("d4", retry_strategy="fixed")
    await wreck.start_worker()
    await wreck.trigger("d4", 10)
    await eventually(lambda: len(wreck.endpoint.calls_to("d4")) == 10, within=5)

    await wreck.crash_postgres()
    await eventually(lambda: all_are_answered(wreck, "d4"), within=5)
    await wreck.postgres.revive()

    await wreck.at_rest(within=10)
    assert {(run["status"], run["attempt"]) for run in await wreck.runs("d4")} == {("completed", 1)}
    assert len(wreck.endpoint.calls_to("d4")) == 10


def all_are_answered(wreck, job):
    return all(call.status for call in wreck.endpoint.calls_to(job))
