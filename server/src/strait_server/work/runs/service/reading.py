"""Looking at runs: one, a page of them, and what happened to one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from strait_server.base.db.connection import Connection
from strait_server.base.errors import NotFound
from strait_server.base.http.pages import Page, PageRequest, make_page
from strait_server.work.queue.model import Run, RunEvent
from strait_server.work.runs.model import Stats
from strait_server.work.runs.rules import story
from strait_server.work.runs.rules.stretch import after_in
from strait_server.work.runs.store import counts, lists, reads

_WHOLE: Final = 2**31 - 1
_LIGHT: Final = 16 * 1024


async def get(db: Connection, project_id: str | None, run_id: UUID) -> Run:
    """Find a run with all that it has. Without a project: of any."""
    return _found(await reads.read_one(db, project_id, run_id, most=_WHOLE))


async def look(db: Connection, project_id: str | None, run_id: UUID) -> Run:
    """Find a run without what weighs: see `get_light`."""
    return _found(await reads.read_one(db, project_id, run_id, most=_LIGHT))


async def get_light(db: Connection, project_id: str | None, ids: Sequence[UUID]) -> list[Run]:
    """Find runs, in this order, without payloads and results of more than 16 KiB.

    Those that are not there, or not the project's, are left out.
    """
    return await reads.read(db, project_id, ids, most=_LIGHT)


async def children(
    db: Connection, project_id: str | None, parent_id: UUID, page: PageRequest
) -> Page[Run]:
    """List the runs that a run brought about, the oldest first."""
    parent = await look(db, project_id, parent_id)
    ids = await lists.children(db, parent.project_id, parent_id, after=after_in(page))
    return await page_of(db, parent.project_id, ids, page)


async def page_of(
    db: Connection, project_id: str, ids: Sequence[UUID], page: PageRequest
) -> Page[Run]:
    """Make a page of the first of these runs."""
    runs = await get_light(db, project_id, ids[: page.rows])
    return make_page(runs, page, _place)


async def events(
    db: Connection,
    project_id: str | None,
    run_id: UUID,
    page: PageRequest,
    *,
    event_type: str | None,
    level: str | None,
) -> Page[RunEvent]:
    """Tell the story of a run, from its beginning: its moves, and what its code told."""
    moves = await reads.moves(db, project_id, run_id)
    if moves is None:
        raise NotFound("run not found")
    told = await reads.told(
        db,
        run_id,
        types=[event_type] if event_type else None,
        levels=story.levels_like(level),
        after=page.after,
        limit=page.rows,
    )
    if story.has_moves(event_type, level):
        told += [
            event for event in story.of_moves(run_id, moves) if story.place(event) > page.after
        ]
    return make_page(sorted(told, key=story.place), page, story.place)


async def stats(db: Connection, project_id: str | None) -> Stats:
    """Count the runs that wait or are under way. Without a project: of all."""
    async with db.transaction():
        await lists.plan_by_values(db)
        return await counts.stats(db, project_id)


def _found(run: Run | None) -> Run:
    if run is None:
        raise NotFound("run not found")
    return run


def _place(run: Run) -> tuple[datetime, UUID]:
    return run.created_at, run.id
