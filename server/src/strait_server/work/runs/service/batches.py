"""Bulk triggers and the runs that came of them."""

from msgspec.structs import asdict

from strait_server.base.db.connection import Connection
from strait_server.base.errors import NotFound
from strait_server.base.http.pages import Page, PageRequest, make_page
from strait_server.base.ids import as_id
from strait_server.work.intake.model import BatchOperation
from strait_server.work.intake.service import batches
from strait_server.work.runs.model import BatchDetails
from strait_server.work.runs.store import reads


async def list_batches(db: Connection, project_id: str, page: PageRequest) -> Page[BatchOperation]:
    """List the project's bulk triggers, the newest first."""
    rows = await batches.list_batches(db, project_id, before=page.before, limit=page.rows)
    return make_page(rows, page, lambda batch: (batch.created_at, batch.id))


async def get(db: Connection, project_id: str, named: str) -> BatchDetails:
    """Find a bulk trigger, with how its runs stand. What is no id is the id of none."""
    batch_id = as_id(named)
    if batch_id is None:
        raise NotFound("batch operation not found")
    batch = await batches.get(db, project_id, batch_id)
    counts = await reads.batch_counts(db, project_id, batch_id)
    return BatchDetails(**asdict(batch), run_counts={count.status: count.runs for count in counts})
