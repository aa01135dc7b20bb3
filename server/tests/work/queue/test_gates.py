"""Concurrency limits hold exactly (behaviour 2.2 #5, #6; T6, T6b, D21)."""

import asyncio

import pytest
import world

from strait_server.base import ids
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import Appetite, Status, key_gate


async def test_no_more_runs_are_claimable_than_the_job_allows(db):
    job = await world.a_job(db, max_concurrency=3)
    await world.queued(db, job, 10)

    assert len(await world.claim(db, 100)) == 3
    assert await world.claim(db, 100) == []


async def test_a_finished_run_lets_the_next_one_in(db):
    job = await world.a_job(db, max_concurrency=1)
    first, second = await world.queued(db, job, 2)
    [claimed] = await world.claim(db, 10)

    await world.complete(db, claimed)

    assert claimed.id == first.id
    assert [run.id for run in await world.claim(db, 10)] == [second.id]


async def test_zero_means_no_limit(db):
    """T6b."""
    job = await world.a_job(db, max_concurrency=0, max_concurrency_per_key=0)
    await world.queued(db, job, 30, concurrency_key="k")

    assert len(await world.claim(db, 100)) == 30


async def test_a_key_is_limited_over_all_jobs_of_the_project(db):
    one, other = [await world.a_job(db, max_concurrency_per_key=2) for _ in range(2)]
    await world.queued(db, one, 2, concurrency_key="customer")
    await world.queued(db, other, 2, concurrency_key="customer")

    assert len(await world.claim(db, 100)) == 2


@pytest.mark.parametrize(
    ("project_id", "key"),
    [("a", "b:c"), ("a:b", "c"), (":", ":"), ("3:a:", "é"), ("prøj 😀", "%_\\'"), ("e\u0301", " ")],
)
async def test_the_database_names_the_gate_of_a_key_as_we_do(db, project_id, key):
    named = await db.raw.fetchval("select key_gate($1, $2)", project_id, key)

    assert named == key_gate(project_id, key)


async def test_a_limit_per_key_that_is_set_later_is_that_of_the_runs_to_come(db):
    """Active, queued and delayed runs get the gate from the database, new ones from us."""
    job = await world.a_job(db, project_id="prøj:😀")
    [active] = await world.queued(db, job, 1, concurrency_key="k:1")
    await world.claim(db, 1)
    [waiting] = await world.queued(db, job, 1, concurrency_key="k:1")
    later = await world.in_a_while(db)
    [delayed] = await world.queued(db, job, 1, concurrency_key="k:1", scheduled_at=later)
    await world.change_job(db, job, max_concurrency_per_key=1)

    await queue.regate(db, job.id, worth=world.WORTH)
    [new] = await world.queued(db, await world.the_job(db, job.id), 1, concurrency_key="k:1")

    stands = "select array_agg(run_id order by run_id) from blocked where gate = $1"
    gate = key_gate("prøj:😀", "k:1")
    assert await world.gates(db) == {gate: 1}
    assert await db.raw.fetchval("select run_id from slots") == active.id
    assert await db.raw.fetchval(stands, gate) == [waiting.id, new.id]
    assert await db.raw.fetchval(stands.replace("blocked", "scheduled"), gate) == [delayed.id]


async def test_a_request_sets_a_limit_per_key_in_the_scope_of_its_project(database):
    async with database.connection() as db:
        job = await world.a_job(db)
        await world.queued(db, job, 3, concurrency_key="k")
        await world.change_job(db, job, max_concurrency_per_key=1)

        async with database.connection(world.PROJECT) as request:
            await queue.regate(request, job.id, worth=world.WORTH)

        assert len(await world.claim(db, 10)) == 1


async def test_runs_waiting_for_a_busy_key_leave_the_job_to_others(db):
    job = await world.a_job(db, max_concurrency=5, max_concurrency_per_key=1)
    await world.queued(db, job, 20, concurrency_key="busy")
    await world.queued(db, job, 4, concurrency_key=None)

    claimed = await world.claim(db, 100)

    assert len(claimed) == 5
    assert sum(run.concurrency_key == "busy" for run in claimed) == 1


async def test_canceling_a_run_gives_its_place_to_the_next(db):
    job = await world.a_job(db, max_concurrency=1)
    first, second = await world.queued(db, job, 2)

    await world.cancel(db, first.id)

    assert [run.id for run in await world.claim(db, 10)] == [second.id]


async def test_a_run_expired_in_the_claim_gives_its_place_back(db):
    job = await world.a_job(db, max_concurrency=1)
    first, second = await world.queued(db, job, 2)
    await world.expire(db, first)

    await world.claim(db, 10)

    assert [run.id for run in await world.claim(db, 10)] == [second.id]


async def test_a_new_limit_counts_the_runs_that_are_under_way(db):
    job = await world.a_job(db)
    await world.queued(db, job, 6)
    claimed = await world.claim(db, 1) + await world.claim(db, 1)
    await world.change_job(db, job, max_concurrency=3)

    await queue.regate(db, job.id, worth=world.WORTH)

    assert len(await world.claim(db, 100)) == 1
    await world.complete(db, claimed[0])  # its worker does not know of the limit
    assert len(await world.claim(db, 100)) == 1


async def test_lifting_a_limit_frees_who_waited(db):
    job = await world.a_job(db, max_concurrency=1)
    await world.queued(db, job, 5)
    await world.change_job(db, job, max_concurrency=0)

    await queue.regate(db, job.id, worth=world.WORTH)

    assert len(await world.claim(db, 100)) == 5


async def test_a_paused_job_keeps_its_runs_queued_until_it_is_resumed(db):
    job = await world.a_job(db)
    await world.queued(db, job, 3)
    await world.change_job(db, job, paused=True)
    await queue.regate(db, job.id, worth=world.WORTH)

    assert await world.claim(db, 100) == []
    assert await world.statuses(db) == {Status.QUEUED: 3}

    await world.change_job(db, job, paused=False)
    await queue.regate(db, job.id, worth=world.WORTH)
    assert len(await world.claim(db, 100)) == 3


async def test_limits_hold_at_every_instant_under_eight_claimers(database):
    """T6, D21: after every claim and every release, at most three are active."""
    async with database.connection() as db:
        job = await world.a_job(db, max_concurrency=3, max_concurrency_per_key=2)
        for key in ("a", "b", "c"):
            await world.queued(db, job, 40, concurrency_key=key)
    most = 0
    done = 0

    async def claimer():
        nonlocal most, done
        async with database.connection() as db:
            worker_id = ids.new_id()
            while done < 120:
                batch = await queue.claim(
                    db, worker_id, Appetite(size=50), floors=[0] * 11, worth=world.WORTH
                )
                active = await world.active(db, job)
                most = max(most, *active.values(), 0) if active else most
                assert sum(active.values()) <= 3, active
                assert all(count <= 2 for count in active.values()), active
                for run in batch:
                    await world.complete(db, run)
                done += len(batch)

    await asyncio.wait_for(asyncio.gather(*(claimer() for _ in range(8))), 60)

    assert most > 0
    async with database.connection() as db:
        assert await world.count(db, "slots") == 0
        assert await world.count(db, "blocked") == 0


async def test_a_run_sent_back_to_a_pause_that_is_over_is_let_in(db):
    """A worker claimed it before the job was resumed and gives it back afterwards."""
    job = await world.a_job(db)
    [run] = await world.queued(db, job, 1, gate=f"pause:{job.id}")
    assert await world.claim(db, 10) == []

    await queue.open_waiting_gates(db, worth=world.WORTH)

    assert [one.id for one in await world.claim(db, 10)] == [run.id]


async def test_places_of_runs_that_ended_without_giving_them_back_are_given_back(db):
    """Who ended the run was killed between the end and the giving back."""
    job = await world.a_job(db, max_concurrency=1)
    first, second = await world.queued(db, job, 2)
    await world.claim(db, 10)
    await world.end(db, first.id)
    assert await world.claim(db, 10) == []

    await queue.open_waiting_gates(db, worth=world.WORTH)

    assert [run.id for run in await world.claim(db, 10)] == [second.id]


async def test_every_gate_with_room_is_opened_however_many_wait(db):
    job = await world.a_job(db, max_concurrency_per_key=1)
    for n in range(1100):
        await world.queued(db, job, 1, concurrency_key=f"{n:04}")
    await db.raw.execute(
        "with unqueued as (delete from queue returning *), left_places as (delete from slots) "
        "insert into blocked "
        "(run_id, gate, rank, priority, job_id, project_id, expires_at, metered) "
        "select run_id, key_gate('proj_1', runs.concurrency_key), ord, unqueued.priority, "
        "unqueued.job_id, unqueued.project_id, unqueued.expires_at, metered "
        "from unqueued join runs on runs.id = run_id"
    )

    await queue.open_waiting_gates(db, worth=world.WORTH)

    assert await world.count(db, "blocked") == 0
    assert await world.count(db, "queue") == 1100


async def test_a_run_that_ends_while_a_limit_is_set_keeps_no_place(database):
    """The end is written but not committed when the limit looks at what is active."""
    async with database.connection() as db, database.connection() as other:
        job = await world.a_job(db)
        await world.queued(db, job, 1)
        [claimed] = await world.claim(db, 10)
        await world.change_job(db, job, max_concurrency=1)
        async with db.transaction():
            await world.complete(db, claimed)
            limiting = asyncio.create_task(queue.regate(other, job.id, worth=world.WORTH))
            await asyncio.sleep(0.2)
        await limiting

        assert await world.count(db, "slots") == 0


async def test_expiring_leaves_alone_what_somebody_is_moving(database):
    """Otherwise the two could wait for each other: the mover holds the entry and wants the run."""
    async with database.connection() as db, database.connection() as mover:
        job = await world.a_job(db)
        [run] = await world.queued(db, job, 1)
        await world.expire(db, run)
        async with mover.transaction():
            await mover.raw.execute("select from queue for update")
            assert await queue.expire(db) == 0
        assert await queue.expire(db) == 1


async def test_canceling_waits_for_the_entry_before_it_takes_the_run(database):
    """The mover holds the entry and wants the run, so that the run must still be free."""
    async with database.connection() as db, database.connection() as mover:
        job = await world.a_job(db, max_concurrency=1)
        _, second = await world.queued(db, job, 2)
        async with mover.transaction():
            await mover.raw.execute("select from blocked for update")
            canceling = asyncio.create_task(world.cancel(db, second.id))
            await asyncio.sleep(0.2)
            await mover.raw.execute("select from runs for update nowait")
        await canceling
        assert await world.status(mover, second.id) is Status.CANCELED


async def test_a_retry_may_wait_as_long_as_the_first_attempt_might(db):
    """T7: a run whose attempts take longer than it may wait is not expired for that."""
    job = await world.a_job(db)
    [run] = await world.queued(db, job, 1, ttl_seconds=60.0)
    [claimed] = await world.claim(db, 10)
    await db.raw.execute(
        "update runs set expires_at = now() - interval '1 hour', "
        "queued_at = now() - interval '61 minutes' where id = $1",
        run.id,
    )

    await world.retry(db, claimed, delay=10.0)

    left = await db.raw.fetchval("select extract(epoch from expires_at - now())::float8 from runs")
    assert left == 70.0
