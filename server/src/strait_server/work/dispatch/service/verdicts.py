"""From an outcome to what the queue is told: final, or back for another time."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol
from uuid import UUID

import msgspec

from strait_server.base import ids
from strait_server.work.dispatch.model import (
    Attempt,
    Completed,
    Crashed,
    GiveUp,
    Outcome,
    RetryAt,
    RetryPolicy,
    Snooze,
    Streak,
    SystemFailed,
    TimedOut,
)
from strait_server.work.dispatch.rules.answer import HEARTBEAT_LOST
from strait_server.work.dispatch.rules.outcome import after_failure
from strait_server.work.dispatch.rules.retry import MAX_JITTER
from strait_server.work.jobs.model import Job
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue.model import (
    ErrorClass,
    ExecutionTrace,
    Finished,
    RetryStrategy,
    Returned,
    Status,
)

_END: Final[Mapping[type, Status]] = MappingProxyType(
    {
        GiveUp: Status.DEAD_LETTER,
        TimedOut: Status.TIMED_OUT,
        Crashed: Status.CRASHED,
        SystemFailed: Status.SYSTEM_FAILED,
    }
)


class Known(Protocol):
    """What every write names: the run, and as whose it is written."""

    @property
    def id(self) -> UUID: ...
    @property
    def attempt(self) -> int: ...
    @property
    def lease_id(self) -> int | None: ...
    @property
    def gated(self) -> bool: ...


class Held(Known, Protocol):
    """A run in somebody's hands: a claimed one, or one of a worker that is gone."""

    @property
    def concurrency_key(self) -> str | None: ...


def policy_of(job: Job) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=job.max_attempts,
        strategy=RetryStrategy(job.retry_strategy),
        delays=tuple(float(delay) for delay in job.retry_delays_secs or ()),
        poison_threshold=job.poison_pill_threshold or 0,
    )


def record(
    run: Held,
    definition: Definition,
    outcome: Outcome,
    *,
    age_micros: int | None = None,
    trace: ExecutionTrace | None = None,
    snoozes: int = 0,
) -> Finished | Returned:
    """Say what is written for an outcome.

    `age_micros` counts from the start of the attempt, None for a run never sent.
    `snoozes` is how often the run was put off since it last reached its endpoint.
    """
    match outcome:
        case Completed(result):
            return _final(run, Status.COMPLETED, age_micros=age_micros, trace=trace, result=result)
        case RetryAt():
            return _retry(run, definition, outcome, age_micros, snoozes)
        case Snooze():
            return _snoozed(run, definition, outcome, snoozes)
        case GiveUp() | TimedOut() | Crashed() | SystemFailed():
            return _final(
                run,
                _END[type(outcome)],
                age_micros=age_micros,
                trace=trace,
                error=outcome.error,
                error_class=outcome.error_class,
            )


def system_failed(run: Known, error: str) -> Finished:
    """Say what is written for a run that cannot be sent at all."""
    return _final(run, Status.SYSTEM_FAILED, error=error, error_class=ErrorClass.SERVER)


def put_back(
    run: Held,
    definition: Definition,
    *,
    delay: float | None = None,
    reason: str | None = None,
) -> Returned:
    """Say what is written for a run that was not sent: it goes back as it was."""
    gate, next_gate = definition.gates(run.concurrency_key)
    return Returned(
        id=run.id,
        attempt=run.attempt,
        lease_id=run.lease_id or 0,
        gated=run.gated,
        delay=delay,
        reason=reason,
        gate=gate,
        next_gate=next_gate,
        metered=definition.job.metered,
    )


def jitter() -> float:
    """Roll the share by which a delay is longer or shorter, so that many do not end at once."""
    return ids.uniform(-MAX_JITTER, MAX_JITTER)


def after_loss(run: Held, definition: Definition) -> RetryAt | GiveUp | TimedOut | Crashed:
    """Say what follows for a run whose worker is gone while it was executed (behaviour 4.6)."""
    # No streak of errors is told of here, so none is counted.
    policy = msgspec.structs.replace(policy_of(definition.job), poison_threshold=0)
    return after_failure(
        Attempt(number=run.attempt, policy=policy), HEARTBEAT_LOST, jitter=jitter()
    )


def _final(
    run: Known,
    status: Status,
    *,
    age_micros: int | None = None,
    trace: ExecutionTrace | None = None,
    result: bytes | None = None,
    error: str | None = None,
    error_class: ErrorClass | None = None,
) -> Finished:
    return Finished(
        id=run.id,
        attempt=run.attempt,
        lease_id=run.lease_id or 0,
        status=status,
        gated=run.gated,
        age_micros=age_micros,
        result=result,
        error=error,
        error_class=error_class,
        trace=_packed(trace) if trace else None,
    )


def _retry(
    run: Held, definition: Definition, verdict: RetryAt, age_micros: int | None, snoozes: int
) -> Returned:
    return msgspec.structs.replace(
        put_back(run, definition, delay=verdict.delay_seconds, reason="retry"),
        step=1,
        age_micros=age_micros,
        error=verdict.error,
        error_class=verdict.error_class,
        priority_boost=definition.job.retry_priority_boost,
        metadata=_noted(verdict.streak, snoozes),
    )


def _snoozed(run: Held, definition: Definition, verdict: Snooze, snoozes: int) -> Returned:
    return msgspec.structs.replace(
        put_back(run, definition, delay=verdict.delay_seconds, reason="snooze"),
        error=verdict.reason,
        error_class=ErrorClass.TRANSIENT,
        metadata=msgspec.json.encode({"snooze_count": snoozes + 1}),
    )


def _noted(streak: Streak | None, snoozes: int) -> bytes | None:
    """Note how the run failed. It reached its endpoint, so its snoozes count anew."""
    notes: dict[str, str | int] = {"snooze_count": 0} if snoozes else {}
    if streak is not None:
        notes["_error_hash"] = streak.error_hash
        notes["_error_hash_count"] = str(streak.count)
    return msgspec.json.encode(notes) if notes else None


def _packed(trace: ExecutionTrace) -> str:
    """Write a trace as `runs.trace` holds it, in the order of the migration."""
    return (
        f"{{{trace.queue_wait_ms},{trace.dequeue_ms},{trace.connect_ms},{trace.ttfb_ms},"
        f"{trace.transfer_ms},{trace.dispatch_ms},{trace.total_ms}}}"
    )
