"""Nouns of jobs: the definition, and what a caller may say of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from strait_server.base.errors import Conflict, Invalid

MANY: Final = 2_147_483_647
MAX_SECRET: Final = 256
MAX_DELAYS: Final = 100
MAX_LIMIT_KEYS: Final = 20
MAX_ZONE: Final = 64
MAX_REASON: Final = 500
MAX_BATCH: Final = 50
SLUG: Final = "[A-Za-z0-9][A-Za-z0-9_.:~-]*"
HTTP: Final = "http"
MANAGED: Final = "managed"
RETRY_STRATEGIES: Final = ("exponential", "linear", "fixed", "custom")


class Extent(NamedTuple):
    """How many labels there may be, and how long their keys and values."""

    entries: int
    key: int
    value: int


TAGS: Final = Extent(entries=20, key=64, value=256)
METADATA: Final = Extent(entries=50, key=128, value=1024)
LENGTHS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "name": (1, 255),
        "slug": (1, 128),
        "endpoint_url": (1, 2048),
        "fallback_endpoint_url": (0, 2048),
        "description": (0, 10_000),
        "execution_window_cron": (0, 256),
    }
)
RANGES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "max_attempts": (1, 100),
        "timeout_secs": (1, 86_400),
        "retry_priority_boost": (0, 10),
        "poison_pill_threshold": (1, MANY),
        "max_concurrency": (0, MANY),
        "max_concurrency_per_key": (0, MANY),
        "rate_limit_max": (0, MANY),
        "rate_limit_window_secs": (0, MANY),
        "run_ttl_secs": (0, MANY),
    }
)


def told(**schema: object) -> Meta:
    """Tell a limit in the contract only: the rules hold it, and say everything at once."""
    return Meta(extra_json_schema=schema)


def _long(name: str) -> Meta:
    shortest, longest = LENGTHS[name]
    return told(minLength=shortest, maxLength=longest)


def _within(name: str) -> Meta:
    low, high = RANGES[name]
    return told(minimum=low, maximum=high)


Delays = Annotated[
    tuple[Annotated[int, told(minimum=1, maximum=MANY)], ...], told(maxItems=MAX_DELAYS)
]
Secret = Annotated[str, told(maxLength=MAX_SECRET)]
Slug = Annotated[str, told(minLength=1, maxLength=LENGTHS["slug"][1], pattern=f"^{SLUG}$")]
PerKey = Annotated[int, _within("max_concurrency_per_key")]
LimitWindow = Annotated[int, _within("rate_limit_window_secs")]
Zone = Annotated[str, told(maxLength=MAX_ZONE)]
Tags = Annotated[
    dict[
        Annotated[str, told(minLength=1, maxLength=TAGS.key)],
        Annotated[str, told(maxLength=TAGS.value)],
    ],
    told(maxProperties=TAGS.entries),
]
Metadata = Annotated[
    dict[
        Annotated[str, told(minLength=1, maxLength=METADATA.key, pattern="^[^_]")],
        Annotated[str, told(maxLength=METADATA.value)],
    ],
    told(maxProperties=METADATA.entries),
]
ExecutionMode = Annotated[str, told(enum=[HTTP, ""])]
Strategy = Annotated[str, told(enum=[*RETRY_STRATEGIES, ""])]


class RateLimitKey(Struct, frozen=True, kw_only=True):
    """At most `max` runs per `window_secs` for each value of the payload field or tag `name`."""

    name: Annotated[str, told(minLength=1, maxLength=METADATA.key)]
    max: Annotated[int, told(minimum=1, maximum=MANY)]
    window_secs: Annotated[int, told(minimum=1, maximum=MANY)]


LimitKeys = Annotated[tuple[RateLimitKey, ...], told(maxItems=MAX_LIMIT_KEYS)]


class JobTerms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What its owner decides of a job: where it is, and the policy of its runs.

    Zero means unlimited or off, and so does None where there is no zero (T6b).
    """

    id: UUID
    project_id: str
    name: str
    slug: str
    endpoint_url: str
    max_attempts: int
    timeout_secs: int
    enabled: bool
    retry_strategy: str
    retry_priority_boost: int
    description: str | None = None
    fallback_endpoint_url: str | None = None
    payload_schema: msgspec.Raw | None = None
    result_schema: msgspec.Raw | None = None
    tags: msgspec.Raw | None = None
    default_run_metadata: msgspec.Raw | None = None
    retry_delays_secs: tuple[int, ...] | None = None
    poison_pill_threshold: int | None = None
    max_concurrency: int = 0
    max_concurrency_per_key: int = 0
    rate_limit_max: int = 0
    rate_limit_window_secs: int = 0
    rate_limit_keys: tuple[RateLimitKey, ...] | None = None
    run_ttl_secs: int = 0
    execution_window_cron: str | None = None
    timezone: str | None = None


class Job(JobTerms, frozen=True, kw_only=True, omit_defaults=True):
    """What can be triggered: an endpoint and the policy of its runs.

    A row of `jobs` and the answer of the API. `revision` grows with every
    change and stays inside.
    """

    version: int
    version_id: str
    paused: bool
    execution_mode: str
    created_at: datetime
    updated_at: datetime
    paused_at: datetime | None = None
    pause_reason: str | None = None
    endpoint_secret_set: bool = False
    created_by: str | None = None
    updated_by: str | None = None


class DefinitionRow(Job, frozen=True, kw_only=True, omit_defaults=True):
    """A job as its runs need it: with what must not leave, and what its project says."""

    revision: int
    project_timezone: str
    metered: bool
    sealed_endpoint_secret: str | None = None


class JobDefaults(Struct, frozen=True, kw_only=True):
    """What the operator decided for jobs that do not say."""

    max_attempts: int = 3
    timeout_secs: int = 300
    max_concurrency: int = 0


class UpdateJob(Struct, frozen=True, kw_only=True):
    """What a caller says of a job; what is absent stays as it is.

    An empty value clears an optional field, and null brings any field back to
    its default. `endpoint_secret` signs what is sent to the endpoint; it is
    kept sealed and never shown again.
    """

    name: Annotated[str, _long("name")] | UnsetType | None = UNSET
    slug: Slug | UnsetType | None = UNSET
    description: Annotated[str, _long("description")] | UnsetType | None = UNSET
    endpoint_url: Annotated[str, _long("endpoint_url")] | UnsetType | None = UNSET
    fallback_endpoint_url: Annotated[str, _long("fallback_endpoint_url")] | UnsetType | None = UNSET
    endpoint_secret: Secret | UnsetType | None = UNSET
    payload_schema: msgspec.Raw | UnsetType = UNSET
    result_schema: msgspec.Raw | UnsetType = UNSET
    tags: Tags | UnsetType | None = UNSET
    default_run_metadata: Metadata | UnsetType | None = UNSET
    max_attempts: Annotated[int, _within("max_attempts")] | UnsetType | None = UNSET
    timeout_secs: Annotated[int, _within("timeout_secs")] | UnsetType | None = UNSET
    retry_strategy: Strategy | UnsetType | None = UNSET
    retry_delays_secs: Delays | UnsetType | None = UNSET
    retry_priority_boost: Annotated[int, _within("retry_priority_boost")] | UnsetType | None = UNSET
    poison_pill_threshold: Annotated[int, told(minimum=0, maximum=MANY)] | UnsetType | None = UNSET
    max_concurrency: Annotated[int, _within("max_concurrency")] | UnsetType | None = UNSET
    max_concurrency_per_key: PerKey | UnsetType | None = UNSET
    rate_limit_max: Annotated[int, _within("rate_limit_max")] | UnsetType | None = UNSET
    rate_limit_window_secs: LimitWindow | UnsetType | None = UNSET
    rate_limit_keys: LimitKeys | UnsetType | None = UNSET
    run_ttl_secs: Annotated[int, _within("run_ttl_secs")] | UnsetType | None = UNSET
    execution_window_cron: Annotated[str, _long("execution_window_cron")] | UnsetType | None = UNSET
    timezone: Zone | UnsetType | None = UNSET
    execution_mode: ExecutionMode | UnsetType | None = UNSET
    enabled: bool | UnsetType | None = UNSET


class CreateJob(UpdateJob, frozen=True, kw_only=True):
    """A new job: `name`, `slug`, `endpoint_url`, and what else shall not be as it is by default.

    Without `project_id` it belongs to the caller's project.
    """

    project_id: str | None = None


class CloneJob(Struct, frozen=True, kw_only=True):
    """The copy's name and slug; without them `<name> (copy)` and `<slug>-copy`."""

    name: Annotated[str, told(maxLength=LENGTHS["name"][1])] | None = None
    slug: Annotated[str, told(maxLength=LENGTHS["slug"][1], pattern=f"^(?:{SLUG})?$")] | None = None


class SetEndpoint(Struct, frozen=True, kw_only=True):
    """Where a job's runs are sent from now on, and whether with a new signing secret."""

    endpoint_url: Annotated[str, _long("endpoint_url")] = ""
    fallback_endpoint_url: Annotated[str, _long("fallback_endpoint_url")] | UnsetType | None = UNSET
    rotate_signing_secret: bool = False


class JobFilter(Struct, frozen=True, kw_only=True):
    """Which jobs a list shows; None: any."""

    slug: str | None = None
    enabled: bool | None = None
    tag_key: str | None = None
    tag_value: str | None = None


class BatchRefusal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the job at this place of a batch was not created."""

    index: int
    message: str
    details: Sequence[str] = ()


class JobBatch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a batch: each job is created or refused by itself."""

    created: list[Job]
    errors: list[BatchRefusal] = []


class EndpointChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The job with its new endpoint, and the new signing secret, which is shown this once."""

    job: Job
    signing_secret: str | None = None


class SlugTaken(Conflict):
    """Another job of the project has this slug."""

    def __init__(self, slug: str) -> None:
        super().__init__(f'job with slug "{slug}" already exists: job slug conflict')


class NothingCreated(Invalid):
    """Every job of a batch was refused; the answer says why, as it does for some (api 3.3)."""

    def __init__(self, batch: JobBatch) -> None:
        super().__init__("none of the jobs could be created")
        self.extra = {"created": batch.created, "errors": batch.errors}
