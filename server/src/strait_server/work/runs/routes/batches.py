"""Bulk triggers, and how their runs stand (api 9.11)."""

from typing import Final

from litestar import get
from litestar.di import NamedDependency

from strait_server.base.http.guards import requires
from strait_server.base.http.pages import Page
from strait_server.base.http.params import Db, FromPath, Paging
from strait_server.tenancy.access.model import Actor
from strait_server.work.intake.model import BatchOperation
from strait_server.work.runs.model import BatchDetails
from strait_server.work.runs.service import batches


@get("/v1/batch-operations", operation_id="listBatchOperations", guards=[requires("runs:read")])
async def list_batch_operations(
    page: Paging, actor: NamedDependency[Actor], db: Db
) -> Page[BatchOperation]:
    """List the project's bulk triggers, the newest first."""
    return await batches.list_batches(db, actor.project, page)


@get(
    "/v1/batch-operations/{batch_id:str}",
    operation_id="getBatchOperation",
    guards=[requires("runs:read")],
)
async def get_batch_operation(
    batch_id: FromPath[str], actor: NamedDependency[Actor], db: Db
) -> BatchDetails:
    """Get a bulk trigger, with how many of its runs have which status."""
    return await batches.get(db, actor.project, batch_id)


HANDLERS: Final = (
    list_batch_operations,
    get_batch_operation,
)
