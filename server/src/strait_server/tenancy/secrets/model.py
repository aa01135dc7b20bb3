"""Nouns of secrets."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

PRODUCTION: Final = "production"


class JobSecret(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A secret as everybody may see it: a row of `secrets` without its value.

    `key_version` grows whenever the value is replaced. Without a job the
    secret is for all jobs of the project.
    """

    id: UUID
    project_id: str
    environment: str
    secret_key: str
    key_version: int
    created_at: datetime
    updated_at: datetime
    job_id: UUID | None = None


class NewSecret(Struct, frozen=True, kw_only=True):
    """A value to keep, and for whom. `job` is an id or a slug."""

    project_id: str
    secret_key: str
    value: str
    environment: str = PRODUCTION
    job: str | None = None

    def __repr__(self) -> str:
        """Say whose secret it is, never the secret."""
        return f"NewSecret({self.project_id!r}, {self.secret_key!r})"


class Sealed(Struct, frozen=True, kw_only=True):
    """A secret as it lies in the database."""

    id: UUID
    secret_key: str
    sealed: str
