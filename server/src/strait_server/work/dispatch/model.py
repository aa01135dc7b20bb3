"""What an attempt meets, what it leads to, and what is remembered of an endpoint.

Delays are seconds from now: the database's clock adds them to its own.
"""

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from strait_server.work.queue.model import ErrorClass, RetryStrategy

# What an attempt is made under.


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """How often a run is tried, and how long it waits in between (behaviour 4.1, 4.2).

    `poison_threshold` is how often in a row the same error may come before the
    run is given up early; 0 means never.
    """

    max_attempts: int = 3
    strategy: RetryStrategy = RetryStrategy.EXPONENTIAL
    delays: tuple[float, ...] = ()
    initial_seconds: float = 1.0
    max_seconds: float = 3600.0
    poison_threshold: int = 0


class Streak(Struct, frozen=True):
    """The same error, several times in a row."""

    error_hash: str
    count: int


class Attempt(Struct, frozen=True, kw_only=True):
    """One try of one run: the how-manieth, under which policy, and what came before."""

    number: int
    policy: RetryPolicy
    streak: Streak | None = None


# What an attempt meets.


class Answer(Struct, frozen=True, kw_only=True):
    """What an endpoint said that did not succeed. The body may be cut."""

    status: int
    body: bytes = b""
    retry_after: str | None = None


class Trouble(StrEnum):
    """Why there is no answer; the kinds the outbound client tells apart."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    REFUSED = "refused_by_policy"
    TOO_LARGE = "too_large"
    PROTOCOL = "protocol"


class Cause(StrEnum):
    """How a failed attempt ended, and so how the run ends if it was the last."""

    ERROR = "error"
    DEADLINE = "deadline"
    LOST = "lost"


class Completed(Struct, frozen=True):
    """The endpoint did the work. The result is JSON, or None when it said nothing."""

    result: bytes | None


class Failure(Struct, frozen=True, kw_only=True):
    """The attempt failed; what follows is not decided yet.

    `retry_after_seconds` is what the endpoint asked for, 0 when it did not.
    """

    error: str
    error_class: ErrorClass
    cause: Cause = Cause.ERROR
    retry_after_seconds: float = 0.0


# What it leads to.


class RetryAt(Struct, frozen=True, kw_only=True):
    """Queue the run again as its next attempt, not before the delay is over."""

    delay_seconds: float
    error: str
    error_class: ErrorClass
    streak: Streak | None = None


class GiveUp(Struct, frozen=True, kw_only=True):
    """Move the run to the dead letters."""

    error: str
    error_class: ErrorClass


class TimedOut(Struct, frozen=True, kw_only=True):
    """End the run: its last attempt ran out of time."""

    error: str
    error_class: ErrorClass


class Crashed(Struct, frozen=True, kw_only=True):
    """End the run: whoever executed its last attempt is gone."""

    error: str
    error_class: ErrorClass


class Snooze(Struct, frozen=True, kw_only=True):
    """Queue a run again that was not sent; it has not used up an attempt."""

    delay_seconds: float
    reason: str


class SystemFailed(Struct, frozen=True, kw_only=True):
    """End the run: we could not even try, and trying again would not help."""

    error: str
    error_class: ErrorClass = ErrorClass.SERVER


AfterFailure: TypeAlias = RetryAt | GiveUp | TimedOut | Crashed
Outcome: TypeAlias = Completed | AfterFailure | Snooze | SystemFailed


# What is remembered of an endpoint.


class CircuitState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit(Struct, frozen=True, kw_only=True):
    """How an endpoint fared lately, for one project (behaviour 14.1, T33).

    Both instants are of the clock that `now` comes from: nothing is sent before
    `open_until`, and who sent the probe has until `probe_until` to report.
    """

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    open_until: datetime | None = None
    probe_until: datetime | None = None


class Allow(Struct, frozen=True):
    """Send."""


class Probe(Struct, frozen=True):
    """Send, if you are the first to note that nobody else may until then."""

    until: datetime


class Wait(Struct, frozen=True):
    """Do not send before then."""

    until: datetime


Gate: TypeAlias = Allow | Probe | Wait


class Level(StrEnum):
    """What a health score means (behaviour 11.1)."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class CircuitRow(Struct, frozen=True, kw_only=True):
    """A circuit and a score as the database has them; instants as seconds from now."""

    state: CircuitState
    failures: int
    health_score: float
    opens_in: float | None
    probe_ends_in: float | None


class EndpointReport(Struct, frozen=True, kw_only=True):
    """What happened at an endpoint since the last report, folded into four numbers.

    `failures` are those after the last success. The score becomes
    `score * score_kept + score_added`, so reports add up in any order.
    """

    project_id: str
    endpoint: str
    recovered: bool = False
    failures: int = 0
    score_kept: float = 1.0
    score_added: float = 0.0


class DurationRow(Struct, frozen=True):
    """How many runs took about as long; bucket n is around 2 ** (n / 4) milliseconds."""

    bucket: int
    runs: int
