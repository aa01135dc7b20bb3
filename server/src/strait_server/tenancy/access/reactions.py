"""What becomes of keys when something happened elsewhere."""

from datetime import datetime
from typing import Protocol

from strait_server.base.db.connection import Connection
from strait_server.tenancy.access.service import keys


class Deletion(Protocol):
    """The end of a project, as the room of projects tells it: it stands above this one."""

    @property
    def project_id(self) -> str: ...
    @property
    def deleted_at(self) -> datetime: ...


async def revoke_keys(db: Connection, fact: Deletion) -> None:
    """Revoke the keys of a deleted project. Those made since, after its return, stay.

    Nobody got in meanwhile: a key of a deleted project is not recognised.
    """
    await keys.revoke_all(db, fact.project_id, made_before=fact.deleted_at)
