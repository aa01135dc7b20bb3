"""Nouns of access: the actor, and the keys by which actors are known."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from strait_server.base.errors import Forbidden, Invalid, NotFound

EVERYTHING: Final = "*"
# Whatever a key can be allowed (behaviour 13.2).
SCOPES: Final = frozenset(
    {
        EVERYTHING,
        *("jobs:read", "jobs:write", "jobs:trigger"),
        *("runs:read", "runs:write"),
        *("workflows:read", "workflows:write", "workflows:trigger"),
        *("secrets:read", "secrets:write"),
        *("webhooks:read", "webhooks:write"),
        *("api-keys:manage", "rbac:manage", "stats:read"),
        *("projects:read", "projects:write", "projects:manage"),
    }
)


class ActorType(StrEnum):
    API_KEY = "api_key"
    INTERNAL = "internal"
    RUN = "run"


class Actor(Struct, frozen=True, kw_only=True):
    """Who is asking, within which project, and what they may do.

    An internal caller without a project acts in all of them. `run_id` and
    `attempt` are those of a run token; no attempt means the current one.
    """

    id: str
    type: ActorType
    project_id: str | None = None
    scopes: frozenset[str] = frozenset()
    key_id: UUID | None = None
    run_id: UUID | None = None
    attempt: int | None = None

    @property
    def is_internal(self) -> bool:
        return self.type is ActorType.INTERNAL

    @property
    def project(self) -> str:
        """The project they act in. Raises `Invalid` when an internal caller named none."""
        if self.project_id is None:
            raise Invalid("project_id is required")
        return self.project_id

    def may(self, scope: str) -> bool:
        """Whether they hold this scope, or all of them (behaviour 13.2)."""
        return scope in self.scopes or EVERYTHING in self.scopes

    def project_named(self, named: str | None) -> str:
        """Tell which project a body means: the one it names, which must be the actor's (T73).

        Raises `Forbidden` for another project, `Invalid` when nobody named one.
        """
        if not named:
            return self.project
        if not self.is_internal and named != self.project_id:
            raise Forbidden("access denied")
        return named

    def check_project(self, project_id: str) -> None:
        """Raise `NotFound` unless they may know that the project exists (behaviour 0.3)."""
        if not self.is_internal and project_id != self.project_id:
            raise NotFound("project not found")


class APIKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key as everybody may see it: a row of `api_keys` without its hash."""

    id: UUID
    project_id: str
    name: str
    key_prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    replaced_by_key_id: UUID | None = None
    grace_expires_at: datetime | None = None
    rate_limit_requests: int = 0
    rate_limit_window_secs: int = 0
    created_by: str = ""


class HeldKey(APIKey, frozen=True, kw_only=True):
    """A key that nobody else can change for now."""

    expired: bool


class NewKey(Struct, frozen=True, kw_only=True):
    """What a key is asked to be. No scopes: everything; no days: it does not expire."""

    project_id: str
    name: str
    scopes: tuple[str, ...] | None = None
    expires_in_days: int = 0
    rate_limit_requests: int = 0
    rate_limit_window_secs: int = 0


class Minted(Struct, frozen=True, kw_only=True):
    """What is kept of a new key, and of who made it."""

    id: UUID
    key_hash: str
    key_prefix: str
    created_by: str


class CreatedKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A new key, with the one sight of it anybody gets."""

    id: UUID
    project_id: str
    name: str
    key: str
    key_prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None


class Successor(Struct, frozen=True, kw_only=True):
    """The row of a key that replaces another, which works until `grace_expires_at`."""

    id: UUID
    project_id: str
    name: str
    key_prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    grace_expires_at: datetime


class RotatedKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The successor of a key, with the one sight of it anybody gets."""

    id: UUID
    old_key_id: UUID
    new_key_id: UUID
    project_id: str
    name: str
    key: str
    key_prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    grace_expires_at: datetime
    expires_at: datetime | None = None


class Recognised(Struct, frozen=True, kw_only=True):
    """What the database knows of a hash: the key, its limits, and why it may no longer work.

    `refusal` is empty for a key that works. `seconds_left` is None for one
    that goes on doing so; the database's clock measured them.
    """

    id: UUID
    project_id: str
    scopes: tuple[str, ...]
    refusal: str
    seconds_left: float | None
    key_requests: int
    key_window_secs: int
    project_requests: int
    project_window_secs: int
