"""Lists of runs (api 9.9): where to look first, so that none reads millions of rows.

See ADR 0005: a list by status starts from the small table that knows where such
runs are, and every other one from the newest runs of its project, job or batch.
"""

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from strait_server.base.db.connection import Connection
from strait_server.base.errors import NotFound
from strait_server.base.http.pages import MAX_LIMIT, Page, PageRequest
from strait_server.base.ids import as_id
from strait_server.work.intake.service import terms
from strait_server.work.queue.model import FINAL, Run, Status
from strait_server.work.runs.model import AskedRuns, RunFilter
from strait_server.work.runs.rules.filters import read_filter
from strait_server.work.runs.rules.stretch import HIGHEST, LOWEST, before_in, not_after, not_before
from strait_server.work.runs.service.means import Means
from strait_server.work.runs.service.reading import page_of
from strait_server.work.runs.store import lists
from strait_server.work.runs.store.lists import Start, Stretch, Tables

_ENDED: Final = FINAL - {Status.COMPLETED}
_LEASED: Final = frozenset({Status.DEQUEUED, Status.EXECUTING})
_IN_SMALL_TABLES: Final = _ENDED | _LEASED | {Status.QUEUED, Status.DELAYED}


async def list_runs(
    db: Connection, means: Means, project_id: str, asked: AskedRuns, page: PageRequest
) -> Page[Run]:
    """List the project's runs that meet every filter, the newest first (T27q)."""
    try:
        ids = await _find(db, means, project_id, read_filter(asked), page)
    except NotFound:
        ids = []  # no job of that name, so no runs of it
    return await page_of(db, project_id, ids, page)


async def list_of_job(
    db: Connection,
    means: Means,
    project_id: str,
    reference: str,
    asked: AskedRuns,
    page: PageRequest,
) -> Page[Run]:
    """List the runs of a job of the project. Raises `NotFound` when there is none."""
    definition = await means.definitions.by_reference(project_id, reference)
    if definition is None:
        raise NotFound("job not found")
    of_job = replace(read_filter(asked), job=str(definition.job.id))
    return await page_of(db, project_id, await _find(db, means, project_id, of_job, page), page)


async def newest(db: Connection, project_id: str, wanted: RunFilter, *, limit: int) -> list[UUID]:
    """Find the newest runs of the project in these statuses, which small tables know of."""
    stretch = Stretch(before=HIGHEST, floor=LOWEST, job_id=None)
    tables = _tables(wanted.statuses or frozenset())
    return await lists.candidates(db, project_id, stretch, tables, most=limit)


async def job_id_of(means: Means, project_id: str, reference: str | None) -> UUID | None:
    """Find the job that a filter names; an id is taken as it is, for deleted jobs have runs."""
    if reference is None:
        return None
    if (job_id := as_id(reference)) is not None:
        return job_id
    definition = await means.definitions.by_reference(project_id, reference)
    if definition is None:
        raise NotFound("job not found")
    return definition.job.id


async def _find(
    db: Connection, means: Means, project_id: str, wanted: RunFilter, page: PageRequest
) -> list[UUID]:
    if wanted.of_workflow or not wanted.http or wanted.statuses == frozenset():
        return []
    if wanted.payload_contains is not None:
        terms.check_numbers("payload_contains", wanted.payload_contains)
    stretch = Stretch(
        before=min(before_in(page), not_after(wanted.created_before)),
        floor=not_before(wanted.created_after),
        job_id=await job_id_of(means, project_id, wanted.job),
    )
    async with db.transaction():
        await lists.plan_by_values(db)
        return await _find_in(db, project_id, wanted, stretch)


async def _find_in(
    db: Connection, project_id: str, wanted: RunFilter, stretch: Stretch
) -> list[UUID]:
    if wanted.batch_id is not None:
        return await lists.find(db, project_id, wanted, stretch, start=Start.BATCH)
    if wanted.statuses is not None and wanted.statuses <= _IN_SMALL_TABLES:
        return await _find_in_small_tables(db, project_id, wanted, stretch)
    start = Start.PROJECT if stretch.job_id is None else Start.JOB
    return await lists.find(db, project_id, wanted, stretch, start=start)


async def _find_in_small_tables(
    db: Connection, project_id: str, wanted: RunFilter, stretch: Stretch
) -> list[UUID]:
    """Test candidates until the page is full or there are no more.

    The first ones are nearly always enough. They are not when other filters are
    narrow, or when the newest entries of the queue are those of canceled runs.
    """
    tables = _tables(wanted.statuses or frozenset())
    if tables.queued:
        found = await _find_among_newest(db, project_id, wanted, stretch)
        if found is not None:
            return found
    found = []
    for most in _ever_more():
        ids = await lists.candidates(db, project_id, stretch, tables, most=most)
        if ids:
            found += await lists.find(db, project_id, wanted, stretch, start=Start.IDS, ids=ids)
        if len(found) > MAX_LIMIT or len(ids) < most:
            break
        stretch = replace(stretch, before=ids[-1])
    return found


async def _find_among_newest(
    db: Connection, project_id: str, wanted: RunFilter, stretch: Stretch
) -> list[UUID] | None:
    """Look at the project's two thousand newest runs. None: that does not fill the page."""
    edge = await lists.edge(db, project_id, stretch)
    newest = stretch if edge is None else replace(stretch, floor=edge)
    found = await lists.find(db, project_id, wanted, newest, start=Start.PROJECT)
    return found if edge is None or len(found) > MAX_LIMIT else None


def _tables(statuses: frozenset[Status]) -> Tables:
    return Tables(
        queued=Status.QUEUED in statuses,
        delayed=Status.DELAYED in statuses,
        leased=bool(statuses & _LEASED),
        ended=sorted(statuses & _ENDED),
    )


def _ever_more() -> Iterator[int]:
    return chain((200, 2_000, 20_000), repeat(100_000))
