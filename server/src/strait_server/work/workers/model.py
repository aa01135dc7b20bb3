"""Nouns of workers."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from strait_server.work.queue.model import Status


class Policy(Struct, frozen=True, kw_only=True):
    """How a worker works.

    `worth` is a point of priority in microseconds of waiting. `partitions` are
    the projects it serves, in turns, each as often as it stands there; none
    means all. With `adaptive_bounds` the concurrency follows the load. When
    PostgreSQL has started over, a worker that lives is back after `return_within`
    of its being up: that is an attempt to connect that hangs, a pause and another.
    """

    concurrency: int = 100
    fairly: bool = False
    partitions: tuple[str, ...] = ()
    adaptive_bounds: tuple[int, int] | None = None
    memory_threshold_pct: int = 0
    worth: int = 3_600_000_000
    largest_claim: int = 250
    poll_every: timedelta = timedelta(seconds=5)
    heartbeat_every: timedelta = timedelta(seconds=5)
    stale_after: timedelta = timedelta(seconds=15)
    drain_for: timedelta = timedelta(seconds=30)
    return_within: timedelta = timedelta(seconds=6)


class Absent(Struct, frozen=True):
    """A worker that seems to be gone. Once it gave a sign of life it is another one."""

    id: UUID
    alive_until: datetime


class Lost(Struct, frozen=True):
    """A run in the hands of a worker that is gone, or that does not know of it."""

    id: UUID
    job_id: UUID
    attempt: int
    lease_id: int
    status: Status
    gated: bool
    concurrency_key: str | None


class Depth(Struct, frozen=True):
    """How many runs are in a status."""

    status: str
    runs: int


class JobDepth(Struct, frozen=True):
    """How many runs of a job there are."""

    job_id: UUID
    runs: int


class Concurrency(Struct, frozen=True, kw_only=True):
    """How many runs a worker keeps in flight, and how often in a row it was nearly idle."""

    limit: int
    idle_probes: int = 0
