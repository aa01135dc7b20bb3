"""Nouns of triggering: what is asked, and what is answered."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from strait_server.work.jobs.model import Job
from strait_server.work.queue.model import NewRun, Status

Key = Annotated[str, Meta(max_length=256)]
TagKey = Annotated[str, Meta(min_length=1, max_length=64)]
TagValue = Annotated[str, Meta(max_length=256)]
Tags = Annotated[dict[TagKey, TagValue], Meta(max_length=20)]
Metadata = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=128, extra_json_schema={"pattern": "^[^_]"})],
        Annotated[str, Meta(max_length=1024)],
    ],
    Meta(max_length=50),
]
Priority = Annotated[int, Meta(ge=0, le=10)]
Seconds = Annotated[int, Meta(ge=0, le=31_536_000)]
Instant = Annotated[datetime, Meta(tz=True)]

MOST_ITEMS: Final = 500

_SLICES: Final = 60
_FINEST_SLICE_SECONDS: Final = 0.1


class TriggerJob(Struct, frozen=True, kw_only=True):
    """Body of a trigger (api 9.4); also each item of a bulk trigger."""

    payload: msgspec.Raw = msgspec.Raw(b"")
    tags: Tags | None = None
    metadata: Metadata | None = None
    scheduled_at: Instant | None = None
    priority: Priority | None = None
    dry_run: bool | None = None
    ttl_secs: Seconds | None = None
    concurrency_key: Key | None = None
    idempotency_key: Key | None = None


class TriggerJobInBulk(Struct, frozen=True, kw_only=True):
    """Body of a bulk trigger: all items are admitted, or none.

    How many there may be is a setting of the server, `MAX_BULK_TRIGGER_ITEMS`:
    500, if it says nothing else.
    """

    items: Annotated[
        tuple[TriggerJob, ...], Meta(extra_json_schema={"minItems": 1, "maxItems": MOST_ITEMS})
    ]


class Triggered(Struct, frozen=True, kw_only=True):
    """The answer to a trigger: the run that was made, or the one made earlier for the key.

    An item of a bulk trigger is answered without the hash and the extras.
    """

    id: UUID
    status: Status
    idempotency_hit: bool
    payload_hash: str | UnsetType = UNSET
    run_token: str | UnsetType = UNSET
    job_id: UUID | UnsetType = UNSET
    project_id: str | UnsetType = UNSET
    created_at: datetime | UnsetType = UNSET


class TriggeredInBulk(Struct, frozen=True, kw_only=True):
    """The answer to a bulk trigger, results in the order of the items."""

    batch_id: UUID
    results: tuple[Triggered, ...]
    total: int
    created: int


class Plan(Struct, frozen=True, kw_only=True):
    """The answer to a dry run: what a trigger would make."""

    job: Job
    payload_hash: str
    expires_at: datetime
    payload: msgspec.Raw | UnsetType = UNSET
    scheduled_at: datetime | UnsetType = UNSET
    validation_warnings: tuple[str, ...] | UnsetType = UNSET


class RateScope(Struct, frozen=True):
    """At most `limit` admissions per `window_seconds` of whatever `scope` names."""

    scope: str
    limit: int
    window_seconds: int
    refusal: str

    @property
    def slice_seconds(self) -> float:
        """How finely the window is counted."""
        return max(self.window_seconds / _SLICES, _FINEST_SLICE_SECONDS)


class Reserved(Struct, frozen=True):
    """Who holds an idempotency key. `stale`: so long finished that the key is free again."""

    job_id: UUID
    key: str
    run_id: UUID
    status: Status | None
    stale: bool


class Room(Struct, frozen=True):
    """A project's quotas, and how much of them is used. Zero is no limit."""

    project_id: str
    max_queued: int
    queued: int
    max_executing: int
    executing: int


class BatchOperation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bulk trigger, remembered (api 8.4)."""

    id: UUID
    project_id: str
    job_id: UUID
    item_count: int
    created_count: int
    created_at: datetime
    created_by: str | None = None
    finished_at: datetime | None = None


class Draft(Struct, frozen=True, kw_only=True):
    """A run that is asked for, and what has to be settled before it is made."""

    run: NewRun
    payload_hash: str
    rates: tuple[RateScope, ...] = ()
