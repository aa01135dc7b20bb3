"""What the queue does when something happened elsewhere."""

from strait_server.base.db.connection import Connection
from strait_server.tenancy.projects.model import ProjectDeleted
from strait_server.work.queue import service as queue


async def cancel_runs_of_project(db: Connection, fact: ProjectDeleted) -> None:
    """Cancel what a deleted project still had waiting or under way."""
    await queue.cancel_project(db, fact.project_id)
