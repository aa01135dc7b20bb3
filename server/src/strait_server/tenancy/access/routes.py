"""HTTP face of API keys (api 9.22)."""

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from strait_server.base.http.guards import ACROSS_PROJECTS, at_most, requires
from strait_server.base.http.pages import Page
from strait_server.base.http.params import Count, Db, FromPath, JSONBody, Paging
from strait_server.tenancy.access.model import SCOPES, Actor, APIKey, CreatedKey, NewKey, RotatedKey
from strait_server.tenancy.access.service import keys

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Scope = Annotated[str, Meta(extra_json_schema={"enum": sorted(SCOPES)})]


class CreateKey(Struct, frozen=True, kw_only=True):
    """Body of the request for a key. Without scopes it gets all of them."""

    name: Name
    project_id: str | None = None
    scopes: Annotated[tuple[Scope, ...], Meta(extra_json_schema={"minItems": 1})] | None = None
    expires_in_days: Annotated[int, Meta(ge=0, le=36_500)] | None = None
    rate_limit_requests: Count | None = None
    rate_limit_window_secs: Count | None = None


class RotateKey(Struct, frozen=True, kw_only=True):
    """Body of the request to replace a key. The grace is an hour unless given."""

    grace_period_minutes: Annotated[int, Meta(ge=0, le=10_080)] | None = None
    grace_period_seconds: Annotated[int, Meta(ge=0, le=604_800)] | None = None
    name: Name | None = None

    @property
    def grace(self) -> timedelta | None:
        if self.grace_period_minutes is None and self.grace_period_seconds is None:
            return None
        return timedelta(
            minutes=self.grace_period_minutes or 0, seconds=self.grace_period_seconds or 0
        )


class RevokedKey(Struct, frozen=True):
    """That the key no longer works."""

    status: Literal["revoked"] = "revoked"


@post(
    "/",
    operation_id="createApiKey",
    guards=[requires("api-keys:manage"), at_most(10)],
    opt=ACROSS_PROJECTS,
)
async def create_api_key(
    data: JSONBody[CreateKey], actor: NamedDependency[Actor], db: Db
) -> CreatedKey:
    """Create an API key. The answer is the only one that contains it.

    A key holds what it is given and nothing else, and cannot be given more
    than its maker holds. Without `scopes` it gets everything (`*`), which
    only somebody who has everything can give; an empty list is refused.
    """
    new = NewKey(
        project_id=actor.project_named(data.project_id),
        name=data.name,
        scopes=data.scopes,
        expires_in_days=data.expires_in_days or 0,
        rate_limit_requests=data.rate_limit_requests or 0,
        rate_limit_window_secs=data.rate_limit_window_secs or 0,
    )
    return await keys.create(db, actor, new)


@get("/", operation_id="listApiKeys", guards=[requires("api-keys:manage")])
async def list_api_keys(page: Paging, actor: NamedDependency[Actor], db: Db) -> Page[APIKey]:
    """List the API keys of the project, the newest first, also expired and revoked ones."""
    return await keys.list_keys(db, actor.project, page)


@post(
    "/{key_id:uuid}/rotate",
    operation_id="rotateApiKey",
    guards=[requires("api-keys:manage"), at_most(10)],
)
async def rotate_api_key(
    key_id: FromPath[UUID], data: JSONBody[RotateKey], actor: NamedDependency[Actor], db: Db
) -> RotatedKey:
    """Replace an API key by a new one that may do the same.

    The old key works until the grace period (at most 10,080 minutes) is over.
    A key that is revoked, has expired or has been replaced before answers 409.
    A key that holds more than the caller answers 403.
    """
    return await keys.rotate(db, actor, key_id, grace=data.grace, name=data.name)


@delete(
    "/{key_id:uuid}",
    operation_id="revokeApiKey",
    status_code=200,
    guards=[requires("api-keys:manage")],
)
async def revoke_api_key(
    key_id: FromPath[UUID], actor: NamedDependency[Actor], db: Db
) -> RevokedKey:
    """Revoke an API key at once. One that is revoked already answers 404."""
    await keys.revoke(db, actor.project_id, key_id)
    return RevokedKey()


router = Router(
    "/v1/api-keys",
    route_handlers=[create_api_key, list_api_keys, rotate_api_key, revoke_api_key],
    tags=["api-keys"],
)
