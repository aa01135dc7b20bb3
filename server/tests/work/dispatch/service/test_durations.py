"""How long runs take, and what follows from it (behaviour 3.1 #9, 3.4 #7; T38)."""

import asyncio

import crew
import pytest
import world
from endpoint import answer, when
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base import ids
from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.errors import Unavailable
from strait_server.work.dispatch.service.durations import Durations, bucket_of, percentile

TOKENS = RunTokens(crew.ENVIRON["JWT_SIGNING_KEY"])


@given(st.floats(1, 86_400_000))
def test_a_bucket_is_right_to_a_tenth(milliseconds):
    middle = 2.0 ** (bucket_of(milliseconds) / 4)

    assert 0.9 <= middle / milliseconds <= 1.1


@given(st.lists(st.integers(1, 60_000), min_size=20, max_size=200))
def test_the_percentile_of_buckets_is_that_of_the_runs(milliseconds):
    counts = {}
    for each in milliseconds:
        counts[bucket_of(each)] = counts.get(bucket_of(each), 0) + 1
    exact = sorted(milliseconds)[-(-95 * len(milliseconds) // 100) - 1] / 1000

    found = percentile(sorted(counts.items()), 0.95)

    assert 0.9 <= found / exact <= 1.1


def test_of_a_few_runs_nothing_is_concluded():
    assert percentile([(10, 19)], 0.95) is None
    assert percentile([], 0.95) is None


async def test_workers_share_what_they_measured(database):
    job_id = ids.new_id()
    one, other, reader = Durations(database), Durations(database), Durations(database)

    for durations in (one, other):
        for _ in range(15):
            durations.add(job_id, 0.5)
        await durations.share()
    assert reader.p95(job_id) is None
    await reader._refresh()

    assert reader.p95(job_id) == pytest.approx(0.5, rel=0.1)


async def test_yesterday_is_forgotten(database, db):
    job_id = ids.new_id()
    durations = Durations(database)
    for _ in range(30):
        durations.add(job_id, 0.5)
    await durations.share()
    await db.raw.execute("update job_durations set hour = hour - interval '26 hours'")

    durations.p95(job_id)
    await durations._refresh()

    assert durations.p95(job_id) is None


async def test_what_could_not_be_shared_is_shared_later(database):
    job_id = ids.new_id()
    away = Durations(type(database)("postgresql://nobody@127.0.0.1:1/nothing"))
    for _ in range(20):
        away.add(job_id, 0.5)
    with pytest.raises(Unavailable):
        await away.share()

    away._database = database
    await away.share()
    away.p95(job_id)
    await away._refresh()

    assert away.p95(job_id) == pytest.approx(0.5, rel=0.1)


async def usual(hired, job, seconds):
    """Let a worker know that a job's runs usually take so long."""
    durations = hired.crew.durations
    for _ in range(100):
        durations.add(job.id, seconds)
    await durations.share()
    durations.p95(job.id)
    await durations._refresh()


async def test_a_run_twice_as_slow_as_most_is_counted(db, hire, endpoint):
    hired = await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await usual(hired, job, 0.001)
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))

    [run] = await world.queued(db, job, 1)
    await crew.stands(db, run.id, "executing")
    answered.set()
    await crew.ended(db, run.id)

    assert hired.metric("strait_run_latency_anomalies_total", job_id=str(job.id)) == 1


async def test_a_usual_run_is_none_and_neither_is_a_failure(db, hire, endpoint):
    hired = await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), max_attempts=1)
    await usual(hired, job, 5.0)
    endpoint.on("/work", answer(), answer(400))

    runs = await world.queued(db, job, 2)
    await crew.ended(db, *(run.id for run in runs))

    assert hired.metric("strait_run_latency_anomalies_total", job_id=str(job.id)) == 0


async def test_a_job_that_lately_took_longer_gets_more_time(db, hire, endpoint):
    """Behaviour 3.1 #9: but twice its timeout at most."""
    hired = await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url(), timeout_secs=1, max_attempts=1)
    await usual(hired, job, 60.0)

    async def take_more_than_the_timeout(peer, request):
        await asyncio.sleep(1.2)  # the endpoint's time is what this is about
        await answer()(peer, request)

    endpoint.on("/work", take_more_than_the_timeout)
    [run] = await world.queued(db, job, 1)

    assert await crew.ended(db, run.id) == {run.id: "completed"}


@pytest.mark.parametrize("fallback", [False, True])
async def test_a_token_outlives_all_that_is_granted(db, hire, endpoint, fallback):
    """T38: the extension, and the fallback after it."""
    hired = await hire()
    job = await world.a_job(
        db,
        endpoint_url=endpoint.url(),
        fallback_endpoint_url=endpoint.url("/fallback") if fallback else None,
        timeout_secs=300,
    )
    await usual(hired, job, 3600.0)
    [run] = await world.queued(db, job, 1, ttl_seconds=60.0)
    await crew.ended(db, run.id)

    dispatcher = hired.worker._dispatcher
    provision = dispatcher._provisions._kept[job.id]
    life = 300 + 60
    granted = dispatcher._primary_seconds(provision, life)

    assert granted + (30 if fallback else 0) <= life
    assert granted > 300
