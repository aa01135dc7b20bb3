"""What it takes to write a job, and the one way a change of it goes out."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

from strait_server.base.crypto.sealing import Sealer
from strait_server.base.db.connection import Connection
from strait_server.base.outbound.resolver import Resolver
from strait_server.base.outbound.urls import EndpointPolicy
from strait_server.work.jobs.model import JobDefaults
from strait_server.work.jobs.service.definitions import Definitions
from strait_server.work.jobs.store import jobs as store
from strait_server.work.queue import service as queue


class Means(NamedTuple):
    """What a process has and what its operator decided, made once at the start.

    `worth` is what one point of priority weighs, in microseconds of waiting.
    """

    definitions: Definitions
    resolver: Resolver
    endpoints: EndpointPolicy
    sealer: Sealer
    defaults: JobDefaults
    worth: int


@asynccontextmanager
async def change(db: Connection, means: Means, *job_ids: UUID) -> AsyncGenerator[None, None]:
    """Commit what happens inside to these jobs; the next trigger and dispatch see it (T127)."""
    async with db.transaction():
        yield
    for job_id in job_ids:
        means.definitions.forget(f"job:{job_id}")


async def announce(db: Connection, means: Means, job_id: UUID, *, gating: bool) -> None:
    """Tell every process, and move waiting runs to the gates that hold now."""
    await store.announce(db, job_id)
    if gating:
        await queue.regate(db, job_id, worth=means.worth)
