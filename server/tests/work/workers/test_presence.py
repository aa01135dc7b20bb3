"""How a worker is seen alive (behaviour 4.6; design 5.4, 6)."""

import asyncio
from functools import partial

import auditor
import crew
import pytest
import world
from endpoint import when

from strait_server.work.queue.model import Status


async def cut_off(db, worker_id):
    """End the session that holds a worker's lock, as a network that breaks does."""
    [pid] = await holders(db, worker_id)
    await db.raw.execute("select pg_terminate_backend($1)", pid)


async def holders(db, worker_id):
    rows = await db.raw.fetch(
        "select pg_locks.pid from pg_locks "
        "join workers on ((classid::bigint << 32) | objid::bigint) = lock_id "
        "where locktype = 'advisory' and granted and workers.id = $1 and database = "
        "(select oid from pg_database where datname = current_database())",
        worker_id,
    )
    return [row["pid"] for row in rows]


async def test_a_worker_is_known_and_holds_its_lock(db, hire):
    hired = await hire(worker_concurrency=42)

    row = await db.raw.fetchrow("select * from workers")

    assert (row["id"], row["concurrency"]) == (hired.worker_id, 42)
    assert len(await holders(db, hired.worker_id)) == 1


async def test_a_lost_connection_is_replaced_before_anybody_looked_twice(db, hire, endpoint):
    """It keeps its name and its runs, though the next heartbeat is far away."""
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    hired = await hire(heartbeat_interval="1h", stale_threshold="3h")
    job = await world.a_job(db, endpoint_url=endpoint.url())
    await world.queued(db, job, 1)
    await endpoint.heard(1)
    name = hired.worker_id
    [before] = await holders(db, name)

    await cut_off(db, name)

    async def locked_anew():
        return await holders(db, name) not in ([], [before])

    await crew.eventually(locked_anew, within=1.0)
    answered.set()
    assert await crew.all_final(db) == {Status.COMPLETED: 1}
    assert hired.worker_id == name


async def test_while_a_former_session_has_the_lock_the_heartbeat_vouches(db, database, hire):
    """The server has not noticed yet that the old connection is gone."""
    hired = await hire()
    name = hired.worker_id
    squatter = await database.dedicated()
    lock_id = await db.raw.fetchval("select lock_id from workers")
    [pid] = await holders(db, name)
    async with asyncio.TaskGroup() as group:
        group.create_task(squatter.execute("select pg_advisory_lock($1)", lock_id))
        await db.raw.execute("select pg_terminate_backend($1)", pid)

    recovery = crew.recovery_of(hired.services)
    before = await db.raw.fetchval("select alive_until from workers")

    async def beaten():
        assert await recovery.step(db) == 0
        return await db.raw.fetchval("select alive_until from workers") > before

    await crew.eventually(beaten)
    await squatter.close()

    async def locked():
        return len(await holders(db, name)) == 1

    await crew.eventually(locked)
    assert hired.worker_id == name


async def test_a_worker_that_was_declared_dead_goes_on_under_a_new_name(db, hire, endpoint):
    answered = asyncio.Event()
    endpoint.on("/work", when(answered))
    hired = await hire(heartbeat_interval="50ms", stale_threshold="150ms")
    job = await world.a_job(db, endpoint_url=endpoint.url())
    [run] = await world.queued(db, job, 1)
    await crew.stands(db, run.id, Status.EXECUTING)
    name = hired.worker_id

    await declare_dead(db, name)

    async def renamed():
        return hired.worker_id != name

    await crew.eventually(renamed)
    answered.set()
    [again] = await world.queued(db, job, 1)
    await crew.ended(db, again.id)
    assert await world.status(db, run.id) == Status.QUEUED  # and its late answer changed nothing
    assert await db.raw.fetch("select id from workers") == [(hired.worker_id,)]


async def declare_dead(db, worker_id):
    """As a rescuer does; but the run is left out of the queue, so that it can be looked at."""
    async with db.raw.transaction():
        await db.raw.execute(
            "update runs set status = 'queued', lease_id = null, attempt = attempt + 1"
        )
        await db.raw.execute("delete from leases where worker_id = $1", worker_id)
        await db.raw.execute("delete from workers where id = $1", worker_id)


async def test_a_worker_that_left_does_not_come_back(db, hire):
    hired = await hire(heartbeat_interval="20ms", stale_threshold="60ms")

    await hired.crew.presence.leave()
    await hired.crew.presence._be_present()

    assert await world.count(db, "workers") == 0


@pytest.mark.parametrize("times", [1, 3])
async def test_a_worker_survives_the_loss_of_all_its_connections(db, hire, endpoint, times):
    hired = await hire()
    job = await world.a_job(db, endpoint_url=endpoint.url())

    for _ in range(times):
        await world.queued(db, job, 20)
        await db.raw.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )

    counts = await crew.all_final(db, within=40)
    assert counts == {Status.COMPLETED: 20 * times}
    assert hired.worker.in_flight == 0
    await crew.eventually(partial(at_rest, db))


async def at_rest(db):
    return await auditor.audit(db.raw) == []
