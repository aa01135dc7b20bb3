"""Nouns of the window: what may be asked of runs, and what is answered."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, field

from strait_server.work.intake.model import BatchOperation
from strait_server.work.queue.model import ErrorClass, Run, Status, TriggeredBy

MOST_CANCELS: Final = 100
MOST_REPLAYS: Final = 100
MOST_DEAD_LETTERS: Final = 500


class AskedRuns(Struct, frozen=True, kw_only=True):
    """The filters of a list as they came; absent and empty are the same."""

    status: str | None = None
    statuses: tuple[str, ...] = ()
    job_id: str | None = None
    batch_id: str | None = None
    workflow_run_id: str | None = None
    triggered_by: str | None = None
    execution_mode: str | None = None
    error_class: str | None = None
    tag_key: str | None = None
    tag_value: str | None = None
    metadata_key: str | None = None
    metadata_value: str | None = None
    payload_contains: str | None = None
    created_after: str | None = None
    created_before: str | None = None


class RunFilter(Struct, frozen=True, kw_only=True):
    """Which runs a list shows: those that meet everything that is not None.

    Without `http` only runs that are not sent over HTTP are meant, and
    `of_workflow` means those of one workflow run: we have neither.
    """

    statuses: frozenset[Status] | None = None
    job: str | None = None
    batch_id: UUID | None = None
    triggered_by: TriggeredBy | None = None
    error_class: ErrorClass | None = None
    tag_key: str | None = None
    tag_value: str | None = None
    metadata_key: str | None = None
    metadata_value: str | None = None
    payload_contains: bytes | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    http: bool = True
    of_workflow: bool = False


class Stats(Struct, frozen=True, kw_only=True):
    """How many runs of the project stand where right now."""

    queued: int
    executing: int
    delayed: int
    dequeued: int


class CancelResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one run of a bulk cancel: its status now, and why it was not canceled."""

    id: str
    status: str
    error: str | None = None


class CanceledRuns(Struct, frozen=True, kw_only=True):
    """The answer to a bulk cancel, results in the order of the ids."""

    results: Sequence[CancelResult]
    total: int
    canceled: int
    failed: int


class CanceledByFilter(Struct, frozen=True, kw_only=True):
    """The runs that a filter met and that were canceled. `has_more`: there was not time for all."""

    canceled: int
    run_ids: Sequence[UUID]
    has_more: bool = False


class ReplayResult(Struct, frozen=True, kw_only=True):
    """What became of one run of a bulk replay."""

    original_run_id: str
    status: Literal["replayed", "skipped", "failed"]
    new_run_id: UUID | UnsetType = UNSET
    error: str | UnsetType = UNSET


class ReplayedRuns(Struct, frozen=True, kw_only=True):
    """The answer to a bulk replay, results in the order of the ids."""

    results: Sequence[ReplayResult]
    total: int
    replayed: int


class Selection(Struct, frozen=True, kw_only=True):
    """Which dead letters are meant: these, or the newest of a project."""

    run_ids: tuple[str, ...] | None = None
    project_id: str | None = None
    limit: int | None = None


class ReplayedDeadLetters(Struct, frozen=True, kw_only=True):
    """The dead letters that are queued again."""

    replayed: Sequence[Run]
    count: int


class ResetKey(Struct, frozen=True, kw_only=True):
    """That the run's idempotency key is free again."""

    run_id: UUID
    status: Literal["reset"] = "reset"


class BatchDetails(BatchOperation, frozen=True, kw_only=True, omit_defaults=True):
    """A bulk trigger, and how its runs stand: how many by status."""

    run_counts: dict[str, int] = field(default_factory=dict)


# Why a run does not move.


class Gate(StrEnum):
    """What can hold a run, in the order in which it is passed."""

    JOB = "job"
    PAUSE = "pause"
    SCHEDULE = "schedule"
    RETRY = "retry"
    CIRCUIT = "circuit"
    WINDOW = "window"
    CONCURRENCY_KEY = "concurrency_key"
    JOB_CONCURRENCY = "job_concurrency"
    QUEUE = "queue"
    WORKERS = "workers"
    EXECUTION = "execution"
    WAIT = "wait"


class GateReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One gate on the way of a run.

    `held_by` names runs or a worker. `action` says what its user can do.
    """

    gate: Gate
    blocking: bool
    detail: str
    action: str
    held_by: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a run stands where it stands: in a sentence, and gate by gate."""

    run_id: UUID
    status: Status
    summary: str
    gates: Sequence[GateReport]


class Places(Struct, frozen=True):
    """The places at a gate: how many runs hold one, the ten longest, and since when."""

    gate: str
    run_ids: tuple[UUID, ...] | None
    since: datetime | None
    held: int


class Facts(Struct, frozen=True, kw_only=True):
    """What run, job, place and worker say of a run, at the moment `now`."""

    now: datetime
    id: UUID
    project_id: str
    job_id: UUID
    status: Status
    attempt: int
    priority: int
    enabled: bool
    paused: bool
    max_attempts: int
    max_concurrency: int
    max_concurrency_per_key: int
    queued_at: datetime | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    heartbeat_at: datetime | None = None
    expires_at: datetime | None = None
    error: str | None = None
    error_class: str | None = None
    concurrency_key: str | None = None
    job_slug: str | None = None
    paused_at: datetime | None = None
    pause_reason: str | None = None
    wait_reason: str | None = None
    due_at: datetime | None = None
    gate: str | None = None
    next_gate: str | None = None
    blocked_since: datetime | None = None
    rank: int | None = None
    worker_id: UUID | None = None
    worker_host: str | None = None
    worker_pid: int | None = None
    worker_lives: bool | None = None


class Surroundings(Struct, frozen=True, kw_only=True):
    """What is around a run: who holds the places it needs, who goes first, who works.

    `ahead` is None when it stands nowhere, and never more than about a thousand;
    `opens_at` is set while its job's execution window is closed.
    """

    places: Sequence[Places] = ()
    ahead: int | None = None
    live_workers: int = 0
    opens_at: datetime | None = None
