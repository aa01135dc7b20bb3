"""The routes there are, and something of everything they are about."""

import csv
import re
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import world

from strait_server.app import api
from strait_server.base import ids
from strait_server.base.clock import unix
from strait_server.work.queue.model import Status

DOCUMENT = api.document()
URL = "http://93.184.216.34/"  # an address nobody has to look up, and nobody calls


JOB_CODE = {
    "getOwnPayload": {},
    "logEvent": {"message": "a line"},
    "reportProgress": {"percent": 40},
    "sendHeartbeat": {},
    "completeRun": {"result": 1},
    "failRun": {"error": "no"},
}
PUBLIC = {"getHealth", "getReadiness"}
"""What anybody may ask; and above, what job code says, and how."""


class Route(NamedTuple):
    """One route of the contract. `who` is anybody, a caller with a scope, or a run."""

    method: str
    path: str
    who: str
    scope: str


class Operation(NamedTuple):
    """One operation of the document."""

    name: str
    method: str
    path: str
    described: dict

    def about(self, things: dict[str, str]) -> str:
        """Fill the path in."""
        return re.sub(r"{(\w+)}", lambda found: things[found[1]], self.path)


def contract() -> list[Route]:
    """Read the table of what this server must answer (api 9, without what comes later)."""
    with Path(__file__).with_name("data.csv").open(newline="") as table:
        return [Route(**row) for row in csv.DictReader(table)]


OPERATIONS = {
    described["operationId"]: Operation(described["operationId"], method.upper(), path, described)
    for path, item in DOCUMENT["paths"].items()
    for method, described in item.items()
}
"""What the document describes, by name."""


async def belongings(db, project_id, *, status=Status.QUEUED) -> dict[str, str]:
    """Make one of everything in a project. The run got to the status, and has a key.

    The names are those of the parameters in paths; `slug` is the job's.
    """
    await world.a_project(db, project_id)
    job = await world.a_job(db, project_id=project_id, endpoint_url=URL)
    run = await world.a_run(db, job=job, status=status, idempotency_key=f"key of {project_id}")
    batch_id = ids.new_id()
    await db.raw.execute(
        "insert into idempotency_keys (job_id, key, run_id) values ($1, $2, $3)",
        job.id,
        run.idempotency_key,
        run.id,
    )
    await db.raw.execute(
        "insert into batch_operations (id, project_id, job_id, item_count, created_count)"
        " values ($1, $2, $3, 1, 1)",
        batch_id,
        project_id,
        job.id,
    )
    key = await world.a_key(db, project_id=project_id)
    secret = await world.a_secret(db, project_id=project_id, job=str(job.id))
    return {
        "project_id": project_id,
        "job_id": str(job.id),
        "slug": job.slug,
        "run_id": str(run.id),
        "batch_id": str(batch_id),
        "key_id": str(key.id),
        "secret_id": str(secret.id),
    }


def nobodys() -> dict[str, str]:
    """Name one of everything that does not exist."""
    names = ("project_id", "job_id", "run_id", "batch_id", "key_id", "secret_id")
    return {"slug": world.new_name(), **{name: str(ids.new_id()) for name in names}}


async def ask(who, name, things, *, body=None, query=None):
    """Send the request of an operation, about these things."""
    one = OPERATIONS[name]
    return await who.request(one.method, one.about(things), json=body, params=query or {})


async def everything(db) -> dict[str, list[str]]:
    """Read every row there is, by table; when a key was last used is nobody's business."""
    tables = await db.raw.fetch(
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p') and not relispartition"
    )
    return {
        table: sorted(
            row[0]
            for row in await db.raw.fetch(
                f"select (to_jsonb(it) - 'last_used_at')::text from {table} it"  # noqa: S608 - names from the catalogue
            )
        )
        for (table,) in tables
    }


def a_token(api, things) -> str:
    """Write a run token for the run, for whichever attempt it is at."""
    now = unix()
    return api.services.tokens.issue(
        UUID(things["run_id"]),
        project_id=things["project_id"],
        attempt=None,
        expires_at=now + 60,
        now=now,
    )
