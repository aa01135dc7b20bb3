"""HTTP face of secrets (api 9.7). No answer contains a value."""

import re
from typing import Annotated, Final
from uuid import UUID

from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import Meta, Struct

from strait_server.base.crypto.sealing import Sealer
from strait_server.base.errors import Invalid
from strait_server.base.http.guards import ACROSS_PROJECTS, at_most, requires
from strait_server.base.http.pages import Page
from strait_server.base.http.params import Db, FromPath, FromQuery, JSONBody, Paging
from strait_server.tenancy.access.model import Actor
from strait_server.tenancy.secrets import service as secrets
from strait_server.tenancy.secrets.model import PRODUCTION, JobSecret, NewSecret

_KEY: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")
SecretKey = Annotated[str, Meta(max_length=128, extra_json_schema={"pattern": f"^{_KEY.pattern}$"})]
Environment = Annotated[str, Meta(min_length=1, max_length=64)]


class CreateSecret(Struct, frozen=True, kw_only=True):
    """Body of the request to keep a secret. `key` and `environment_id` are other spellings.

    `job_id` is an id or a slug.
    """

    value: Annotated[str, Meta(min_length=1, max_length=65_536)]
    secret_key: SecretKey | None = None
    key: SecretKey | None = None
    project_id: str | None = None
    job_id: str | None = None
    environment: Environment | None = None
    environment_id: Environment | None = None

    def __repr__(self) -> str:
        """Say whose secret it is, never the secret."""
        return f"CreateSecret({self.secret_key or self.key!r})"

    @property
    def name(self) -> str:
        """The name of the secret, however spelled. Raises `Invalid` if it is none."""
        name = self.secret_key or self.key
        if not name:
            raise Invalid("validation failed", problems=["secret_key: failed on 'required'"])
        if not _KEY.fullmatch(name):
            field = "secret_key" if self.secret_key else "key"
            problem = f"{field}: must consist of letters (A-Z), digits and _, the first no digit"
            raise Invalid("validation failed", problems=[problem])
        return name


@post(
    "/",
    operation_id="createSecret",
    guards=[requires("secrets:write"), at_most(20)],
    opt=ACROSS_PROJECTS,
)
async def create_secret(
    data: JSONBody[CreateSecret],
    actor: NamedDependency[Actor],
    sealer: NamedDependency[SkipValidation[Sealer]],
    db: Db,
) -> JobSecret:
    """Keep a secret for the endpoints of a job, or of all jobs of the project.

    The value is never shown again. A secret of the same name, job and
    environment is replaced, and its `key_version` grows.
    """
    new = NewSecret(
        project_id=actor.project_named(data.project_id),
        secret_key=data.name,
        value=data.value,
        environment=data.environment or data.environment_id or PRODUCTION,
        job=data.job_id,
    )
    return await secrets.save(db, sealer, new)


@get(
    "/",
    operation_id="listSecrets",
    guards=[requires("secrets:read")],
    opt={"also_fails_with": (404,)},
)
async def list_secrets(
    page: Paging,
    actor: NamedDependency[Actor],
    db: Db,
    job_id: FromQuery[str | None] = None,
    environment: FromQuery[str | None] = None,
) -> Page[JobSecret]:
    """List secrets without their values, the newest first.

    `job_id` is an id or a slug; a slug that no job has answers 404.
    """
    return await secrets.list_secrets(db, actor.project, page, job=job_id, environment=environment)


@get("/{secret_id:uuid}", operation_id="getSecret", guards=[requires("secrets:read")])
async def get_secret(secret_id: FromPath[UUID], actor: NamedDependency[Actor], db: Db) -> JobSecret:
    """Get a secret without its value."""
    return await secrets.get(db, actor.project_id, secret_id)


@delete("/{secret_id:uuid}", operation_id="deleteSecret", guards=[requires("secrets:write")])
async def delete_secret(secret_id: FromPath[UUID], actor: NamedDependency[Actor], db: Db) -> None:
    """Delete a secret. Runs that are dispatched from now on do not get it."""
    await secrets.delete(db, actor.project_id, secret_id)


router = Router(
    "/v1/secrets",
    route_handlers=[create_secret, list_secrets, get_secret, delete_secret],
    tags=["secrets"],
)
