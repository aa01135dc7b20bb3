"""What can be asked of secrets."""

from collections.abc import Mapping
from uuid import UUID

from strait_server.base.crypto.sealing import Sealer
from strait_server.base.db.connection import Connection
from strait_server.base.errors import NotFound
from strait_server.base.http.pages import Page, PageRequest, make_page
from strait_server.base.ids import as_id, new_id
from strait_server.tenancy.secrets import store
from strait_server.tenancy.secrets.model import PRODUCTION, JobSecret, NewSecret


async def save(db: Connection, sealer: Sealer, new: NewSecret) -> JobSecret:
    """Keep a value, in place of the one that had its name.

    Raises `NotFound` when there is no such project or, in it, no such job, and
    `Unavailable` when no encryption key is configured.
    """
    async with db.transaction():
        job_id = await _job(db, new.project_id, new.job)
        secret_id = await store.claim(db, new_id(), new, job_id=job_id)
        if secret_id is None:
            raise NotFound("job not found" if job_id else "project not found")
        sealed = _seal(sealer, secret_id, new.value)
        saved = await store.fill(db, secret_id, sealed=sealed)
        await store.announce(db, new.project_id)
    if saved is None:
        raise NotFound("secret not found")
    return saved


async def list_secrets(
    db: Connection,
    project_id: str,
    page: PageRequest,
    *,
    job: str | None = None,
    environment: str | None = None,
) -> Page[JobSecret]:
    """List the secrets of a project, without their values; the newest first.

    Raises `NotFound` when no job has the slug that names one.
    """
    job_id = await _job(db, project_id, job)
    rows = await store.list_secrets(
        db,
        project_id,
        job_id=job_id,
        environment=environment,
        before=page.before,
        limit=page.rows,
    )
    return make_page(rows, page, lambda secret: (secret.created_at, secret.id))


async def get(db: Connection, project_id: str | None, secret_id: UUID) -> JobSecret:
    """Get a secret without its value."""
    secret = await store.find(db, project_id, secret_id)
    if secret is None:
        raise NotFound("secret not found")
    return secret


async def delete(db: Connection, project_id: str | None, secret_id: UUID) -> None:
    async with db.transaction():
        owner = await store.delete(db, project_id, secret_id)
        if owner is None:
            raise NotFound("secret not found")
        await store.announce(db, owner)


async def for_job(
    db: Connection, sealer: Sealer, project_id: str, job_id: UUID, *, environment: str = PRODUCTION
) -> Mapping[str, str]:
    """Open the secrets a job may see: its own before those of the whole project (behaviour 3.7).

    Values that a former key has sealed are sealed anew on the way (T113).
    Raises `SealBroken` when one does not open; then none is handed out.
    """
    value_by_key: dict[str, str] = {}
    for row in await store.sealed_for_job(db, project_id, job_id, environment=environment):
        value = sealer.open(row.sealed, table="secrets", row_id=row.id, column="sealed")
        value_by_key[row.secret_key] = value
        if sealer.needs_rotation(row.sealed):
            sealed = _seal(sealer, row.id, value)
            await store.reseal(db, row.id, sealed=sealed, former=row.sealed)
    return value_by_key


async def _job(db: Connection, project_id: str, reference: str | None) -> UUID | None:
    """Tell the id of the job that is named by it or by its slug (api 9), if one is named."""
    if reference is None:
        return None
    job_id = as_id(reference) or await store.job_named(db, project_id, reference)
    if job_id is None:
        raise NotFound("job not found")
    return job_id


def _seal(sealer: Sealer, secret_id: UUID, value: str) -> str:
    return sealer.seal(value, table="secrets", row_id=secret_id, column="sealed")
