"""Nouns of projects."""

from datetime import datetime
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from strait_server.base.facts import Fact

# Ids are caller's choice and stand in paths (behaviour 13.10).
ID: Final = r"(?!.*\.\.)[^/\x00-\x1f\x7f]{1,64}"
Timezone = Annotated[str, Meta(min_length=1, max_length=64)]
Region = Annotated[str, Meta(max_length=64)]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647)]


class Project(Struct, frozen=True, kw_only=True):
    """A tenant: a row of `projects`."""

    id: str
    org_id: str
    name: str
    created_at: datetime
    updated_at: datetime


class ProjectSettings(Struct, frozen=True, kw_only=True):
    """What a project decides for itself."""

    project_id: str
    timezone: str
    default_region: str
    plan_tier: str = "free"


class Quotas(Struct, frozen=True, kw_only=True):
    """How much a project may have of everything. Zero: no limit."""

    timezone: str
    max_queued_runs: int = 0
    max_executing_runs: int = 0
    max_jobs: int = 0
    rate_limit_requests: int = 0
    rate_limit_window_secs: int = 0


class ChangeQuotas(Struct, frozen=True, kw_only=True):
    """Which quotas become what; what is absent stays, zero is no limit."""

    timezone: Timezone | UnsetType = UNSET
    max_queued_runs: Count | UnsetType = UNSET
    max_executing_runs: Count | UnsetType = UNSET
    max_jobs: Count | UnsetType = UNSET
    rate_limit_requests: Count | UnsetType = UNSET
    rate_limit_window_secs: Count | UnsetType = UNSET


class ProjectDeleted(Fact, frozen=True, kw_only=True):
    """A project was deleted; what belongs to it is still there, but out of reach."""

    project_id: str
    deleted_at: datetime
