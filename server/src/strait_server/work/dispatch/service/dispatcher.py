"""One attempt of one run: may it be sent, send it, and what follows (behaviour 3.1).

The dispatcher writes nothing. It answers an outcome, and the worker records it.
"""

from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct

from strait_server.base import clock
from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.errors import StraitError, Unavailable
from strait_server.base.outbound.client import Client
from strait_server.base.outbound.outcome import Timing
from strait_server.base.telemetry import tracing
from strait_server.base.telemetry.metrics import DispatchMetrics
from strait_server.base.telemetry.tracing import TraceContext, Tracing
from strait_server.work.dispatch.model import (
    Attempt,
    Completed,
    Failure,
    Outcome,
    Probe,
    Snooze,
    Streak,
    SystemFailed,
)
from strait_server.work.dispatch.rules import answer, fallback, health, outcome, timeouts, trace
from strait_server.work.dispatch.rules.classify import ENDPOINT_AT_FAULT
from strait_server.work.dispatch.service.calls import MAX_RESPONSE, Calls
from strait_server.work.dispatch.service.durations import Durations
from strait_server.work.dispatch.service.endpoints import Endpoints, Later
from strait_server.work.dispatch.service.notes import Notes, notes_of
from strait_server.work.dispatch.service.provisions import Provision, Provisions
from strait_server.work.dispatch.service.verdicts import jitter
from strait_server.work.jobs.model import DefinitionRow
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue.model import ClaimedRun, ExecutionTrace

_SLOW: Final = 2.0
_log = structlog.get_logger(__name__)


class Limits(Struct, frozen=True, kw_only=True):
    """What the settings say about dispatching."""

    max_result_bytes: int = MAX_RESPONSE
    max_snoozes: int = 50
    default_max_concurrency: int = 0


class Sent(Struct, frozen=True, kw_only=True):
    """An attempt that was made: what it led to, where the time went, when it started.

    `slow`: it succeeded, but took twice as long as 95 of 100 lately.
    """

    outcome: Outcome
    trace: ExecutionTrace
    started: float
    slow: bool = False


class Dispatcher:
    """Sends runs. One per worker."""

    def __init__(
        self,
        client: Client,
        endpoints: Endpoints,
        durations: Durations,
        provisions: Provisions,
        tokens: RunTokens,
        limits: Limits,
        *,
        spans: Tracing,
        metrics: DispatchMetrics,
    ) -> None:
        self._calls = Calls(client, tokens, max_result_bytes=limits.max_result_bytes)
        self._endpoints = endpoints
        self._durations = durations
        self._provisions = provisions
        self._limits = limits
        self._spans = spans
        self._metrics = metrics
        self._under_way: dict[UUID, int] = {}

    async def admit(self, run: ClaimedRun, definition: Definition) -> Provision | Outcome:
        """May the run be sent now? Otherwise answer what becomes of it (behaviour 3.1 #5, #6).

        Who gets a `Provision` has a place in the bulkhead and gives it back
        with `leave`.
        """
        try:
            provision = self._provisions.of(definition)
        except StraitError as error:
            return SystemFailed(error=error.message)
        job = definition.job
        limit = job.max_concurrency or self._limits.default_max_concurrency
        probes = False
        if not self._endpoints.is_healthy(job.project_id, provision.endpoint):
            gate = await self._endpoints.admit(
                job.project_id, provision.endpoint, probe_seconds=job.timeout_secs
            )
            if isinstance(gate, Later):
                return self._put_off(run, gate)
            probes = isinstance(gate, Probe)
            score = self._endpoints.score(job.project_id, provision.endpoint)
            limit = health.throttled(limit, score)
        busy = self._under_way.get(job.id, 0)
        if limit and busy >= limit and not probes:
            delay = outcome.snooze_seconds(run.attempt, jitter=jitter())
            return self._snooze(run, delay, "job bulkhead at capacity")
        self._under_way[job.id] = busy + 1
        return provision

    def leave(self, job_id: UUID) -> None:
        """Give back the place in the bulkhead that `admit` gave."""
        busy = self._under_way.get(job_id, 0) - 1
        if busy > 0:
            self._under_way[job_id] = busy
        else:
            self._under_way.pop(job_id, None)

    async def send(self, run: ClaimedRun, provision: Provision, *, claimed: float) -> Sent:
        """Make the attempt and decide what follows. Takes at most the job's deadlines.

        Raises `Unavailable` when it was not made, for want of the database.
        """
        started = clock.monotonic()
        notes = notes_of(run)
        parent = (
            tracing.parse(notes.trace_parent, notes.trace_state) if notes.trace_parent else None
        )
        if self._spans.enabled:
            with self._spans.start(
                "executor.Execute", parent=parent, attributes=_described(run, provision)
            ) as span:
                result, timing = await self._attempt(run, provision, span.context, claimed)
                if isinstance(result, Failure):
                    span.fail(result.error)
        else:
            result, timing = await self._attempt(run, provision, parent, claimed)
        finished = clock.monotonic()
        measured = trace.of_attempt(
            waited_ms=run.waited_ms,
            claimed=claimed,
            started=started,
            finished=finished,
            connect_ms=timing.connect_ms,
            ttfb_ms=timing.ttfb_ms,
            transfer_ms=timing.transfer_ms,
        )
        self._measure(measured, finished - started)
        if isinstance(result, Completed):
            slow = self._is_slow(run, finished - started)
            return Sent(outcome=result, trace=measured, started=started, slow=slow)
        self._metrics.errors.add(1)
        follows = outcome.after_failure(_attempt(run, provision, notes), result, jitter=jitter())
        return Sent(outcome=follows, trace=measured, started=started)

    def _measure(self, measured: ExecutionTrace, seconds: float) -> None:
        self._metrics.duration.note(seconds)
        self._metrics.trace_duration.note(measured.dispatch_ms)
        self._metrics.trace_queue_wait.note(measured.queue_wait_ms)

    def _is_slow(self, run: ClaimedRun, seconds: float) -> bool:
        """Remember how long a success took, and compare it with the others (behaviour 3.4 #7)."""
        self._durations.add(run.job_id, seconds)
        usual = self._durations.p95(run.job_id)
        if usual is None or seconds <= _SLOW * usual:
            return False
        _log.warning(
            "run unusually slow",
            run_id=str(run.id),
            job_id=str(run.job_id),
            seconds=seconds,
            p95_seconds=usual,
        )
        return True

    async def _attempt(
        self, run: ClaimedRun, provision: Provision, context: TraceContext | None, claimed: float
    ) -> tuple[Completed | Failure, Timing]:
        definition = provision.definition
        job = definition.job
        secrets = self._provisions.kept_secrets(job.id)
        if secrets is None:
            try:
                secrets = await self._provisions.secrets_of(definition)
            except Unavailable:
                raise
            except StraitError as error:
                self._endpoints.undecided(job.project_id, provision.endpoint)
                return answer.of_internal(error.message, secrets=()), Timing()
        life = timeouts.token_seconds(job.timeout_secs, expires_in=run.expires_in)
        letter = self._calls.write(
            run, provision, secrets=secrets, token_seconds=life, context=context, claimed=claimed
        )
        seconds = self._primary_seconds(provision, life)
        began = clock.monotonic()
        first, timing = await self._calls.send(
            letter, provision.target, definition, seconds=seconds
        )
        spent = clock.monotonic() - began
        self._note(job, provision.endpoint, first, spent)
        if (
            isinstance(first, Completed)
            or provision.fallback is None
            or not fallback.may_help(first)
        ):
            return first, timing
        left = fallback.seconds_left(seconds, spent)
        began = clock.monotonic()
        second, timing = await self._calls.send(
            letter, provision.fallback, definition, seconds=left
        )
        self._note(job, provision.fallback_endpoint, second, clock.monotonic() - began)
        if isinstance(second, Failure):
            return fallback.both_failed(first, second), timing
        return second, timing

    def _primary_seconds(self, provision: Provision, token_life: float) -> float:
        """How long the primary may take. The token must outlive the fallback, too (T38)."""
        job = provision.definition.job
        for_fallback = (
            fallback.seconds_left(job.timeout_secs, job.timeout_secs) if provision.fallback else 0.0
        )
        return timeouts.attempt_seconds(
            job.timeout_secs,
            overridden=False,
            p95=self._durations.p95(job.id),
            token_life=token_life - for_fallback,
        )

    def _note(
        self, job: DefinitionRow, endpoint: str, result: Completed | Failure, seconds: float
    ) -> None:
        """Remember what the answer says of the endpoint. To a wrong request it says nothing."""
        if isinstance(result, Completed):
            self._endpoints.succeeded(
                job.project_id, endpoint, seconds=seconds, timeout=job.timeout_secs
            )
        elif result.error_class in ENDPOINT_AT_FAULT:
            self._endpoints.failed(job.project_id, endpoint)
        else:
            self._endpoints.undecided(job.project_id, endpoint)

    def _put_off(self, run: ClaimedRun, gate: Later) -> Snooze | SystemFailed:
        """Wait for the endpoint. A probe may end at any time: look again, ever more rarely."""
        seconds = gate.seconds
        if gate.probed:
            looks = notes_of(run).snooze_count + 1
            seconds = min(seconds, outcome.snooze_seconds(looks, jitter=jitter()))
        return self._snooze(run, seconds, gate.reason)

    def _snooze(self, run: ClaimedRun, seconds: float, reason: str) -> Snooze | SystemFailed:
        return outcome.snooze(
            times=notes_of(run).snooze_count,
            at_most=self._limits.max_snoozes,
            delay_seconds=seconds,
            reason=reason,
        )


def _attempt(run: ClaimedRun, provision: Provision, notes: Notes) -> Attempt:
    count = int(notes.error_hash_count) if notes.error_hash_count.isdecimal() else 0
    streak = Streak(notes.error_hash, count) if notes.error_hash else None
    return Attempt(number=run.attempt, policy=provision.policy, streak=streak)


def _described(run: ClaimedRun, provision: Provision) -> dict[str, str | int]:
    return {
        "run.id": str(run.id),
        "run.attempt": run.attempt,
        "job.id": str(run.job_id),
        "job.version": provision.definition.job.version,
        "job.endpoint": provision.endpoint,
        "project.id": run.project_id,
    }
