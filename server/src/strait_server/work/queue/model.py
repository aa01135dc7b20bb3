"""What a run is: its states, where it came from, why it failed, and its public face."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Raw, Struct


class Status(StrEnum):
    """Where a run stands (behaviour 1.1); `rules/fsm.py` says which moves there are.

    Users see thirteen of the fifteen: `replay_staged` exists while dead letters
    are replayed in bulk, and `paused` only for runs that are not sent over HTTP.
    """

    DELAYED = "delayed"
    QUEUED = "queued"
    DEQUEUED = "dequeued"
    EXECUTING = "executing"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    SYSTEM_FAILED = "system_failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    DEAD_LETTER = "dead_letter"
    REPLAY_STAGED = "replay_staged"
    PAUSED = "paused"


ORDINALS: Final = {status: ordinal for ordinal, status in enumerate(Status)}
"""How `runs.moves` writes a status down; the order above must therefore never change."""

TERMINAL: Final = frozenset(
    {
        Status.COMPLETED,
        Status.FAILED,
        Status.TIMED_OUT,
        Status.CRASHED,
        Status.SYSTEM_FAILED,
        Status.CANCELED,
        Status.EXPIRED,
    }
)
"""No move leads out of these."""

FINAL: Final = TERMINAL | {Status.DEAD_LETTER}
"""Nothing happens any more by itself; a dead letter still moves when a user replays it (T20)."""


class TriggeredBy(StrEnum):
    """What brought a run into being (behaviour 1.6)."""

    MANUAL = "manual"
    CRON = "cron"
    SPAWN = "spawn"
    WORKFLOW = "workflow"
    RETRY = "retry"
    DEBOUNCE = "debounce"
    BATCH = "batch"
    EVENT = "event"
    JOB_COMPLETION = "job_completion"
    JOB_FAILURE = "job_failure"
    JOB_CHAIN = "job_chain"


class ErrorClass(StrEnum):
    """What kind of failure it was, and so whether trying again helps (behaviour 4.3)."""

    BUDGET = "budget"
    TIMEOUT = "timeout"
    OOM = "oom"
    RATE_LIMITED = "rate_limited"
    AUTH = "auth"
    CLIENT = "client"
    SERVER = "server"
    CONNECTION = "connection"
    TRANSIENT = "transient"
    UNKNOWN = "unknown"


class RetryStrategy(StrEnum):
    """How the delays between attempts grow (behaviour 4.1)."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    FIXED = "fixed"
    CUSTOM = "custom"


class CancelReason(StrEnum):
    """The exact texts a canceled run carries as its error (behaviour 1.5)."""

    USER = "canceled by user"
    USER_BULK = "canceled by user (bulk)"
    USER_FILTER = "canceled by user (bulk filter)"
    PARENT = "parent run canceled"
    PARENT_BULK = "parent run canceled (bulk)"
    CRON_OVERLAP = "canceled by cron overlap policy: cancel_running"
    PARENT_CRON_OVERLAP = "parent canceled by cron overlap policy"
    WORKFLOW = "workflow canceled by user"
    PARENT_WORKFLOW_BULK = "parent workflow canceled (bulk)"
    WORKFLOW_TIMEOUT = "workflow timed out"
    PROJECT_DELETED = "project deleted"

    @property
    def of_parent(self) -> "CancelReason":
        """What the children of a run canceled for this reason say."""
        match self:
            case CancelReason.USER | CancelReason.PARENT:
                return CancelReason.PARENT
            case CancelReason.USER_BULK | CancelReason.USER_FILTER | CancelReason.PARENT_BULK:
                return CancelReason.PARENT_BULK
            case CancelReason.CRON_OVERLAP | CancelReason.PARENT_CRON_OVERLAP:
                return CancelReason.PARENT_CRON_OVERLAP
            case CancelReason.WORKFLOW | CancelReason.PARENT_WORKFLOW_BULK:
                return CancelReason.PARENT_WORKFLOW_BULK
            case CancelReason.WORKFLOW_TIMEOUT | CancelReason.PROJECT_DELETED:
                return self


class ExecutionTrace(Struct, frozen=True, kw_only=True):
    """Where the time of the last attempt went, in milliseconds (behaviour 3.9)."""

    queue_wait_ms: int = 0
    dequeue_ms: int = 0
    connect_ms: int = 0
    ttfb_ms: int = 0
    transfer_ms: int = 0
    total_ms: int = 0
    dispatch_ms: int = 0


class Run(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One execution of a job, as the API shows it (api 8.3).

    A field without a default is in every answer, also when it is zero; one
    with a default is left out when it is None. Empty text and empty maps are
    stored as NULL (behaviour 1.3), so None is the only spelling of nothing.
    """

    id: UUID
    job_id: UUID
    project_id: str
    status: Status
    triggered_by: TriggeredBy
    attempt: int
    priority: int
    job_version: int
    lineage_depth: int
    debug_mode: bool
    created_at: datetime

    job_slug: str | None = None
    job_version_id: str | None = None
    tags: dict[str, str] | None = None
    metadata: dict[str, str] | None = None
    payload: Raw | None = None
    result: Raw | None = None
    error: str | None = None
    error_class: ErrorClass | None = None
    execution_trace: ExecutionTrace | None = None

    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    completed_at: datetime | None = None  # finished_at under the name the Python client reads
    heartbeat_at: datetime | None = None
    next_retry_at: datetime | None = None
    expires_at: datetime | None = None
    updated_at: datetime | None = None

    parent_run_id: UUID | None = None
    continuation_of: UUID | None = None
    batch_id: UUID | None = None
    workflow_run_id: UUID | None = None
    workflow_step_run_id: UUID | None = None
    concurrency_key: str | None = None
    idempotency_key: str | None = None

    max_attempts_override: int | None = None
    timeout_secs_override: int | None = None
    retry_backoff: RetryStrategy | None = None
    retry_initial_delay_secs: int | None = None
    retry_max_delay_secs: int | None = None

    execution_mode: str | None = None
    machine_id: str | None = None
    created_by: str | None = None


class RunEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line in a run's story, written by the system or by the job's code (api 8.4).

    `type` and `level` are kept as they were sent; job code may invent its own.
    """

    id: UUID
    run_id: UUID
    type: str
    message: str
    created_at: datetime
    level: str | None = None
    data: Raw | None = None


class NewRun(Struct, frozen=True, kw_only=True):
    """A run as intake hands it over; the database adds its times and its state.

    `gate` and `next_gate` are passed in this order before the run enters the
    queue. `metered` runs count against their project's quota.
    """

    id: UUID
    project_id: str
    job_id: UUID
    payload: bytes
    ttl_seconds: float
    job_version: int
    job_version_id: str
    priority: int = 0
    scheduled_at: datetime | None = None
    tags: bytes | None = None
    metadata: bytes | None = None
    triggered_by: str = "manual"
    created_by: str | None = None
    concurrency_key: str | None = None
    idempotency_key: str | None = None
    batch_id: UUID | None = None
    replay_of: UUID | None = None
    gate: str | None = None
    next_gate: str | None = None
    metered: bool = False


class Appetite(Struct, frozen=True, kw_only=True):
    """What a claimer wants: how many, one of CLAIM_SIZES; of which project; one per job or not."""

    size: int
    project_id: str | None = None
    fairly: bool = False


class ClaimedRun(Struct, frozen=True):
    """A run in a worker's hands, as the claim returns it. Without a lease it is final: expired.

    `ord` is its place in the queue's order and `micros` the database's clock at
    the claim, both in microseconds since 1970; `job_revision` is the state of
    the job that it must be run by.
    """

    id: UUID
    project_id: str
    job_id: UUID
    attempt: int
    priority: int
    gated: bool
    concurrency_key: str | None
    lease_id: int | None
    metadata: Raw | None
    error: str | None
    ord: int
    payload: Raw
    waited_ms: int
    expires_in: float | None
    job_revision: int
    micros: int


class Started(Struct, frozen=True, kw_only=True):
    """The endpoint is being called, since `age_micros`."""

    id: UUID
    attempt: int
    lease_id: int
    age_micros: int


class Finished(Struct, frozen=True, kw_only=True):
    """The final outcome of an attempt. `age_micros` since its start, None if it never started."""

    id: UUID
    attempt: int
    lease_id: int
    status: Status
    gated: bool = False
    age_micros: int | None = None
    result: bytes | None = None
    error: str | None = None
    error_class: str | None = None
    trace: str | None = None


class Returned(Struct, frozen=True, kw_only=True):
    """A claimed run on its way back.

    `step` is added to the attempt: 1 after a failed one, 0 when none was made.
    With a `delay` (seconds) it waits for its time, for `reason`; otherwise it
    goes to `gate`, or to the queue at once.
    """

    id: UUID
    attempt: int
    lease_id: int
    step: int = 0
    gated: bool = False
    age_micros: int | None = None
    delay: float | None = None
    reason: str | None = None
    error: str | None = None
    error_class: str | None = None
    priority_boost: int = 0
    metadata: bytes | None = None
    gate: str | None = None
    next_gate: str | None = None
    metered: bool = False


class Revival(Struct, frozen=True, kw_only=True):
    """A dead letter to be tried again from its first attempt."""

    id: UUID
    ttl_seconds: float
    gate: str | None = None
    next_gate: str | None = None
    metered: bool = False


class Beat(Struct, frozen=True):
    """Job code says that its run is alive. `attempt` None: whichever it is at."""

    id: UUID
    attempt: int | None


class NewEvent(Struct, frozen=True, kw_only=True):
    """An event as job code reports it; the database adds its time."""

    id: UUID
    run_id: UUID
    attempt: int | None
    type: str
    level: str
    message: str
    data: bytes | None = None


class Conclusion(Struct, frozen=True, kw_only=True):
    """Job code says how its run ended. `checked`: the result has what the job asks of it."""

    id: UUID
    attempt: int | None
    status: Status
    result: bytes | None = None
    error: str | None = None
    error_class: ErrorClass | None = None
    checked: bool = True


class Standing(Struct, frozen=True, kw_only=True):
    """Where a run stands; `age_micros` since it was claimed."""

    id: UUID
    project_id: str
    job_id: UUID
    status: Status
    attempt: int
    gated: bool
    lease_id: int | None = None
    concurrency_key: str | None = None
    age_micros: int | None = None
    result: Raw | None = None


class NewTime(Struct, frozen=True, kw_only=True):
    """When a waiting run shall start, and past which gates; payload None: the one it has."""

    at: datetime
    payload: bytes | None = None
    gate: str | None = None
    next_gate: str | None = None


def key_gate(project_id: str, key: str) -> str:
    """Name the gate of a concurrency key, as the function `key_gate` of the database does.

    Both texts may contain colons: the length says where the project's id ends.
    """
    return f"key:{len(project_id)}:{project_id}:{key}"
