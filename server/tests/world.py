"""The world of tests: says what a test is about and invents the rest."""

from collections import Counter
from itertools import count as counting

import msgspec
from msgspec.structs import replace

from strait_server.base import ids
from strait_server.base.crypto.sealing import Sealer
from strait_server.tenancy.access.model import EVERYTHING, Actor, ActorType, CreatedKey, NewKey
from strait_server.tenancy.access.service import keys
from strait_server.tenancy.secrets import service as secrets
from strait_server.tenancy.secrets.model import JobSecret, NewSecret
from strait_server.work.jobs.model import DefinitionRow
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.jobs.store import definitions
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import (
    Appetite,
    CancelReason,
    Finished,
    NewRun,
    Returned,
    Run,
    Started,
    Status,
)
from strait_server.work.queue.rules.priority import worth_micros
from strait_server.work.runs.service import reading as runs

WORTH = worth_micros(aging=True)
NO_AGING = worth_micros(aging=False)
PROJECT = "proj_1"
INTERNAL_SECRET = "the internal secret of the tests"
ENVIRON = {
    "INTERNAL_SECRET": INTERNAL_SECRET,
    "JWT_SIGNING_KEY": "signing-key-of-the-tests-0123456789",
    "ENCRYPTION_KEY": "00" * 32,
    "DB_MIN_CONNS": "0",
    "DB_MAX_CONNS": "10",
}
SEALER = Sealer(bytes(32))  # with the key of the tests' settings
_ADDRESSES = counting(1)
TTL = 3600.0


async def a_project(db, project_id=PROJECT):
    await db.raw.execute(
        "insert into projects (id, org_id, name) values ($1, 'org_1', 'A project') "
        "on conflict do nothing",
        project_id,
    )
    return project_id


def an_actor(*scopes, project_id=PROJECT, **fields) -> Actor:
    """Somebody who may do these things; everything, if nothing is said."""
    return Actor(
        id="apikey:somebody",
        type=ActorType.API_KEY,
        project_id=project_id,
        scopes=frozenset(scopes or (EVERYTHING,)),
        **fields,
    )


async def a_key(db, *scopes, project_id=PROJECT, **fields) -> CreatedKey:
    """Make an API key with these scopes; with all of them, if nothing is said."""
    await a_project(db, project_id)
    new = NewKey(project_id=project_id, name="A key", scopes=scopes or (EVERYTHING,), **fields)
    return await keys.create(db, an_actor(project_id=project_id), new)


async def change_key(db, key_id, **columns):
    """Change columns of a key behind everybody's back."""
    for name, value in columns.items():
        statement = f"update api_keys set {name} = $2 where id = $1"  # noqa: S608 - our own names
        await db.raw.execute(statement, key_id, value)


async def a_secret(db, name="TOKEN", value="s3cret", *, project_id=PROJECT, **fields) -> JobSecret:
    await a_project(db, project_id)
    new = NewSecret(project_id=project_id, secret_key=name, value=value, **fields)
    return await secrets.save(db, SEALER, new)


async def facts(db) -> list[tuple[str, dict]]:
    """Tell what was recorded for others to react to, in order."""
    rows = await db.raw.fetch("select fact, body from outbox order by id")
    return [(row["fact"], msgspec.json.decode(row["body"])) for row in rows]


def new_name() -> str:
    """Invent a name nobody has."""
    return ids.token_hex(6)


def new_address() -> str:
    """Invent an address nobody calls from."""
    number = next(_ADDRESSES)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


async def a_job(db, *, project_id=PROJECT, slug=None, **columns) -> DefinitionRow:
    """Make a job; `columns` are those of the table."""
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
    statement = f"insert into jobs ({names}) values ({places})"  # noqa: S608 - our own names
    await db.raw.execute(statement, *values.values())
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
        statement = f"update jobs set {name} = $2 where id = $1"  # noqa: S608 - our own names
        await db.raw.execute(statement, job.id, value)
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
        "update queue set ord = ord - $2 where run_id = $1",
        run.id,
        int(by.total_seconds() * 1_000_000),
    )


async def expire(db, run):
    """Let a waiting run be past its expiry."""
    for table, key in (
        ("queue", "run_id"),
        ("scheduled", "run_id"),
        ("blocked", "run_id"),
        ("runs", "id"),
    ):
        statement = (
            f"update {table} "  # noqa: S608 - our own names
            f"set expires_at = now() - interval '1 second' where {key} = $1"
        )
        await db.raw.execute(statement, run.id)


async def status(db, run_id) -> Status:
    return Status(await db.raw.fetchval("select status from runs where id = $1", run_id))


async def statuses(db) -> dict[Status, int]:
    rows = await db.raw.fetch("select status, count(*) from runs group by status")
    return {Status(row[0]): row[1] for row in rows}


async def count(db, table) -> int:
    return await db.raw.fetchval(f"select count(*) from {table}")  # noqa: S608 - our own names


async def active(db, job) -> Counter[str]:
    """Active runs of a job by concurrency key."""
    rows = await db.raw.fetch(
        "select coalesce(concurrency_key, ''), count(*) from runs "
        "where job_id = $1 and status in ('dequeued', 'executing') group by 1",
        job.id,
    )
    return Counter({row[0]: row[1] for row in rows})


async def a_run(db, *, status=Status.QUEUED, job=None, **fields) -> Run:
    """Make a run that got where it is the way runs do, before others wait to be claimed."""
    job = job or await a_job(db)
    later = {"scheduled_at": await in_a_while(db)} if status is Status.DELAYED else {}
    run = new_run(job, **{**later, **fields})
    await queue.enqueue(db, [run], worth=WORTH)
    match status:
        case Status.QUEUED | Status.DELAYED:
            pass
        case Status.CANCELED:
            await cancel(db, run.id, project_id=job.project_id)
        case Status.EXPIRED:
            await expire(db, run)
            await queue.expire(db)
        case _:
            await _go_on(db, next(one for one in await claim(db, 250) if one.id == run.id), status)
    return await the_run(db, run.id)


async def _go_on(db, claimed, status):
    """Take a claimed run where it shall be."""
    if status is Status.DEQUEUED:
        return
    lease = {"id": claimed.id, "attempt": claimed.attempt, "lease_id": claimed.lease_id}
    await queue.start(db, [Started(age_micros=0, **lease)])
    if status is Status.WAITING:
        await db.raw.execute(
            "update runs set status = 'waiting', lease_id = null, "
            "moves = moves || run_move((extract(epoch from now()) * 1000000)::bigint, 'waiting') "
            "where id = $1",
            claimed.id,
        )
    elif status is not Status.EXECUTING:
        outcome = (
            {} if status is Status.COMPLETED else {"error": "it failed", "error_class": "server"}
        )
        await queue.finish(db, [Finished(status=status, gated=claimed.gated, **lease, **outcome)])


async def the_run(db, run_id) -> Run:
    return await runs.get(db, None, run_id)


async def in_a_while(db, seconds=3600.0):
    """Tell a moment to come, by the database's clock."""
    return await db.raw.fetchval("select now() + make_interval(secs => $1)", seconds)


async def events(db, run_id) -> list[str]:
    """Tell what is stored of a run's story, in order."""
    rows = await db.raw.fetch(
        "select type, message from run_events where run_id = $1 order by id", run_id
    )
    return [f"{row['type']}: {row['message']}" for row in rows]


async def gates(db) -> dict[str, int]:
    """How many places are taken at each gate."""
    rows = await db.raw.fetch("select gate, count(*) from slots group by gate")
    return {row[0]: row[1] for row in rows}


async def a_quota(db, *, project_id=PROJECT, **columns):
    """Limit a project; columns are those of `project_quotas`."""
    await a_project(db, project_id)
    names = ", ".join(columns)
    places = ", ".join(f"${n}" for n in range(2, len(columns) + 2))
    statement = f"insert into project_quotas (project_id, {names}) values ($1, {places})"  # noqa: S608 - our own names
    await db.raw.execute(statement, project_id, *columns.values())


async def end(db, run_id, status=Status.COMPLETED, *, ago="0 seconds"):
    """Let a run have ended so long ago, whatever it was doing."""
    await db.raw.execute(
        "update runs set status = $2, finished_at = now() - cast($3::text as interval) "
        "where id = $1",
        run_id,
        status,
        ago,
    )


async def retry(db, run, *, delay):
    """Record that a claimed run failed and is to be tried again after so many seconds."""
    returned = Returned(
        id=run.id, attempt=run.attempt, lease_id=run.lease_id, step=1, delay=delay, reason="retry"
    )
    return await queue.requeue(db, [returned], worth=WORTH)
