"""Concurrency: places at gates."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries

SQL: Final = load_queries(__name__)


async def lock_gates(db: Connection, gates: Sequence[str]) -> None:
    """Until the end of the transaction."""
    await db.execute(SQL["lock_gates"], gates=gates)


async def gates_of(db: Connection, run_ids: Sequence[UUID]) -> list[str]:
    return await db.rows(str, SQL["gates_of"], ids=run_ids)


async def release(db: Connection, run_ids: Sequence[UUID]) -> list[str]:
    """Return the gates that have room now."""
    return await db.rows(str, SQL["release"], ids=run_ids)


async def promote(db: Connection, gates: Sequence[str]) -> list[str]:
    """Return the gates at which runs arrived that passed another one."""
    return await db.rows(str, SQL["promote"], gates=gates)


async def left_behind(db: Connection) -> list[UUID]:
    """List runs that hold places though they are final or gone, a thousand at most."""
    return await db.rows(UUID, SQL["left_behind"])


async def waiting_gates(db: Connection, *, after: str) -> list[str]:
    """Gates at which somebody waits, in order, a thousand at most."""
    return await db.rows(str, SQL["waiting_gates"], after=after)


async def resumed_jobs(db: Connection) -> list[UUID]:
    """Jobs that run again and have runs at the gate of their pause."""
    return await db.rows(UUID, SQL["resumed_jobs"])


async def gates_of_job(db: Connection, job_id: UUID) -> list[str]:
    return await db.rows(str, SQL["gates_of_job"], job_id=job_id)


async def regate(db: Connection, job_id: UUID, *, priority_worth: int) -> list[str]:
    """Return the gates to be opened next."""
    return await db.rows(str, SQL["regate"], job_id=job_id, priority_worth=priority_worth)
