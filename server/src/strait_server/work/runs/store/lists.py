"""Which runs a list shows: ids, the newest first."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.runs.model import RunFilter

SQL: Final = load_queries(__name__)


class Start(IntEnum):
    """Among which runs `find` looks."""

    PROJECT = 0
    JOB = 1
    BATCH = 2
    IDS = 3


class Stretch(Struct, frozen=True, kw_only=True):
    """A part of the list: from below `before` down to `floor`, of one job or of any."""

    before: UUID
    floor: UUID
    job_id: UUID | None


class Tables(Struct, frozen=True, kw_only=True):
    """In which small tables candidates are looked for."""

    queued: bool
    delayed: bool
    leased: bool
    ended: Sequence[str]


async def plan_by_values(db: Connection) -> None:
    """Until the end of the transaction."""
    await db.execute(SQL["plan_by_values"])


async def find(
    db: Connection,
    project_id: str,
    wanted: RunFilter,
    stretch: Stretch,
    *,
    start: Start,
    ids: Sequence[UUID] = (),
) -> list[UUID]:
    """Up to 101 runs that match. `ids` only with `Start.IDS`."""
    return await db.rows(
        UUID,
        SQL[f"find_{start.value}"],
        project_id=project_id,
        before=stretch.before,
        floor=stretch.floor,
        job_id=stretch.job_id,
        batch_id=wanted.batch_id,
        ids=ids,
        statuses=None if wanted.statuses is None else sorted(wanted.statuses),
        triggered_by=wanted.triggered_by,
        error_class=wanted.error_class,
        tag_key=wanted.tag_key,
        tag=_pair(wanted.tag_key, wanted.tag_value),
        metadata_key=wanted.metadata_key,
        metadata=_pair(wanted.metadata_key, wanted.metadata_value),
        created_after=wanted.created_after,
        created_before=wanted.created_before,
        payload_contains=wanted.payload_contains,
    )


async def edge(db: Connection, project_id: str, stretch: Stretch) -> UUID | None:
    """Find the end of the two thousand newest runs of a stretch. None: there are fewer."""
    return await db.row(
        UUID, SQL["edge"], project_id=project_id, before=stretch.before, floor=stretch.floor
    )


async def candidates(
    db: Connection, project_id: str, stretch: Stretch, tables: Tables, *, most: int
) -> list[UUID]:
    """Find the newest runs in those tables, `most` at most; leases know no project."""
    return await db.rows(
        UUID,
        SQL["candidates"],
        project_id=project_id,
        before=stretch.before,
        floor=stretch.floor,
        job_id=stretch.job_id,
        queued=tables.queued,
        delayed=tables.delayed,
        leased=tables.leased,
        ended=tables.ended,
        most=most,
    )


async def children(db: Connection, project_id: str, parent_id: UUID, *, after: UUID) -> list[UUID]:
    """Up to 101 runs that a run brought about, the oldest first."""
    return await db.rows(
        UUID, SQL["children"], project_id=project_id, parent_id=parent_id, after=after
    )


def _pair(key: str | None, value: str | None) -> bytes | None:
    return None if key is None or value is None else msgspec.json.encode({key: value})
