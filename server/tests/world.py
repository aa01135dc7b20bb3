"""The world of tests: says what a test is about and invents the rest."""

from collections import Counter

from msgspec.structs import replace

from strait_server.base import ids
from strait_server.work.jobs.model import DefinitionRow
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.jobs.store import definitions
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import Appetite, CancelReason, Finished, NewRun, Status
from strait_server.work.queue.rules.priority import worth_micros

WORTH = worth_micros(aging=True)
NO_AGING = worth_micros(aging=False)
PROJECT = "proj_1"
TTL = 3600.0


async def a_project(db, project_id=PROJECT):
    await db.raw.execute(
        "insert into projects (id, org_id, name) values ($1, 'org_1', 'A project') on conflict do nothing",
        project_id,
    )
    return project_id


async def a_job(db, *, project_id=PROJECT, slug=None, **columns) -> DefinitionRow:
    """A committed-if-you-commit job; `columns` are those of the table."""
    await a_project(db, project_id)
    job_id = ids.new_id()
    values = {
        "id": job_id,
        "project_id": project_id,
        "slug": slug or f"job-{job_id.hex[-8:]}",
        "name": "A job",
        "endpoint_url": "http://endpoint.example/work",
        "version_id": ids.version_id(),
        **columns,
    }
    names = ", ".join(values)
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await db.raw.execute(f"insert into jobs ({names}) values ({places})", *values.values())
    return await the_job(db, job_id)


async def the_job(db, job_id) -> DefinitionRow:
    return await definitions.find(db, None, job_id=job_id, slug=None)


async def change_job(db, job, **columns):
    """Change columns of a job behind everybody's back."""
    if "paused" in columns:
        await db.raw.execute(
            "update jobs set paused_at = case when $2 then now() end, paused = $2 where id = $1",
            job.id,
            columns.pop("paused"),
        )
    for name, value in columns.items():
        await db.raw.execute(f"update jobs set {name} = $2 where id = $1", job.id, value)
    await db.raw.execute("update jobs set revision = revision + 1 where id = $1", job.id)


def new_run(job: DefinitionRow, **fields) -> NewRun:
    gate, next_gate = Definition(job).gates(fields.get("concurrency_key"))
    run = NewRun(
        id=ids.new_id(),
        project_id=job.project_id,
        job_id=job.id,
        payload=b"{}",
        ttl_seconds=TTL,
        job_version=job.version,
        job_version_id=job.version_id,
        gate=gate,
        next_gate=next_gate,
        metered=job.metered,
    )
    return replace(run, **fields)


async def queued(db, job, count, **fields) -> list[NewRun]:
    """So many runs that were just triggered."""
    runs = [new_run(job, **fields) for _ in range(count)]
    await queue.enqueue(db, runs, worth=WORTH)
    return runs


async def claim(db, size, *, floors=None, worth=WORTH, project_id=None, fairly=False):
    """Claim as a worker that was just made."""
    fits = max(one for one in queue.CLAIM_SIZES if one <= size)
    return await queue.claim(
        db,
        ids.new_id(),
        Appetite(size=fits, project_id=project_id, fairly=fairly),
        floors=floors or [0] * 11,
        worth=worth,
    )


async def claim_all(db):
    claimed = []
    while batch := await claim(db, 250):
        claimed += batch
    return claimed


async def complete(db, run):
    """Record that a claimed run succeeded. The runs for which that came too late."""
    finished = Finished(
        id=run.id,
        attempt=run.attempt,
        lease_id=run.lease_id,
        status=Status.COMPLETED,
        gated=run.gated,
        age_micros=1000,
        result=b"{}",
    )
    return await queue.finish(db, [finished], ended_lease_ids=[])


async def cancel(db, run_id, *, project_id=PROJECT):
    return await queue.cancel(db, project_id, [run_id], reason=CancelReason.USER)


async def age(db, run, by):
    """Let a queued run have come earlier."""
    await db.raw.execute(
        "update queue set ord = ord - $2 where run_id = $1", run.id, int(by.total_seconds() * 1_000_000)
    )


async def expire(db, run):
    """Let a waiting run be past its expiry."""
    for table, key in (("queue", "run_id"), ("scheduled", "run_id"), ("blocked", "run_id"), ("runs", "id")):
        await db.raw.execute(
            f"update {table} set expires_at = now() - interval '1 second' where {key} = $1", run.id
        )


async def status(db, run_id) -> Status:
    return Status(await db.raw.fetchval("select status from runs where id = $1", run_id))


async def statuses(db) -> dict[Status, int]:
    rows = await db.raw.fetch("select status, count(*) from runs group by status")
    return {Status(row[0]): row[1] for row in rows}


async def count(db, table) -> int:
    return await db.raw.fetchval(f"select count(*) from {table}")


async def active(db, job) -> Counter[str]:
    """Active runs of a job by concurrency key."""
    rows = await db.raw.fetch(
        "select coalesce(concurrency_key, ''), count(*) from runs "
        "where job_id = $1 and status in ('dequeued', 'executing') group by 1",
        job.id,
    )
    return Counter({row[0]: row[1] for row in rows})
