"""One attempt of one run: may it be sent, send it, and what follows (behaviour 3.1).

The dispatcher writes nothing. It answers an outcome, and the worker records it.
"""

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from strait_server.base import clock, ids
from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.crypto.signing import sign_v1
from strait_server.base.errors import StraitError
from strait_server.base.outbound.client import Client
from strait_server.base.outbound.outcome import OutboundError, Response, Timing
from strait_server.base.outbound.urls import Target
from strait_server.base.telemetry import tracing
from strait_server.base.telemetry.metrics import DispatchMetrics
from strait_server.base.telemetry.tracing import TraceContext, Tracing
from strait_server.work.dispatch.model import (
    Answer,
    Attempt,
    Completed,
    Failure,
    Moments,
    Outcome,
    Probe,
    Snooze,
    Streak,
    SystemFailed,
    Trouble,
    Wait,
)
from strait_server.work.dispatch.rules import (
    answer,
    fallback,
    headers,
    health,
    outcome,
    timeouts,
    trace,
)
from strait_server.work.dispatch.rules.classify import ENDPOINT_AT_FAULT
from strait_server.work.dispatch.service.durations import Durations
from strait_server.work.dispatch.service.endpoints import Endpoints
from strait_server.work.dispatch.service.provisions import Provision, Provisions
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue.model import ClaimedRun, ExecutionTrace

MAX_RESPONSE: Final = 1_048_576
_CONNECT_SECONDS: Final = 10.0
_JITTER: Final = 0.2


class Limits(Struct, frozen=True, kw_only=True):
    """What the settings say about dispatching."""

    max_result_bytes: int = MAX_RESPONSE
    max_snoozes: int = 50
    default_max_concurrency: int = 0


class Notes(Struct, frozen=True):
    """What a run's metadata says to us: keys that users cannot set."""

    trace_parent: str = msgspec.field(default="", name="_trace_parent")
    trace_state: str = msgspec.field(default="", name="_trace_state")
    error_hash: str = msgspec.field(default="", name="_error_hash")
    error_hash_count: str = msgspec.field(default="0", name="_error_hash_count")
    snooze_count: int = 0


class Sent(Struct, frozen=True, kw_only=True):
    """An attempt that was made: what it led to, where the time went, when it started."""

    outcome: Outcome
    trace: ExecutionTrace
    started: float


_NO_NOTES: Final = Notes()
_read_notes: Final = msgspec.json.Decoder(Notes, strict=False).decode


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
        self._client = client
        self._endpoints = endpoints
        self._durations = durations
        self._provisions = provisions
        self._tokens = tokens
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
        gate = await self._endpoints.admit(
            job.project_id, provision.endpoint, probe_seconds=job.timeout_secs
        )
        if isinstance(gate, Wait):
            return self._snooze(
                run, self._endpoints.seconds_until(gate.until), "endpoint circuit is open"
            )
        score = self._endpoints.score(job.project_id, provision.endpoint)
        limit = health.throttled(job.max_concurrency or self._limits.default_max_concurrency, score)
        busy = self._under_way.get(job.id, 0)
        if limit and busy >= limit and not isinstance(gate, Probe):
            delay = outcome.snooze_seconds(run.attempt, jitter=_jitter())
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
        """Make the attempt and decide what follows. Takes at most the job's deadlines."""
        started = clock.monotonic()
        notes = notes_of(run)
        parent = (
            tracing.parse(notes.trace_parent, notes.trace_state) if notes.trace_parent else None
        )
        if self._spans.enabled:
            with self._spans.start(
                "executor.Execute", parent=parent, attributes=_described(run, provision)
            ) as span:
                result, timing = await self._attempt(run, provision, span.context)
                if isinstance(result, Failure):
                    span.fail(result.error)
        else:
            result, timing = await self._attempt(run, provision, parent)
        finished = clock.monotonic()
        moments = Moments(
            waited_ms=run.waited_ms, claimed=claimed, started=started, finished=finished
        )
        measured = trace.of_attempt(
            moments,
            connect_ms=timing.connect_ms,
            ttfb_ms=timing.ttfb_ms,
            transfer_ms=timing.transfer_ms,
        )
        self._measure(measured, finished - started)
        if isinstance(result, Completed):
            self._durations.add(run.job_id, finished - started)
            return Sent(outcome=result, trace=measured, started=started)
        self._metrics.errors.add(1)
        follows = outcome.after_failure(_attempt(run, provision, notes), result, jitter=_jitter())
        return Sent(outcome=follows, trace=measured, started=started)

    def _measure(self, measured: ExecutionTrace, seconds: float) -> None:
        self._metrics.duration.observe((seconds,))
        self._metrics.trace_duration.observe((measured.dispatch_ms,))
        self._metrics.trace_queue_wait.observe((measured.queue_wait_ms,))

    async def _attempt(
        self, run: ClaimedRun, provision: Provision, context: TraceContext | None
    ) -> tuple[Completed | Failure, Timing]:
        definition = provision.definition
        job = definition.job
        secrets = self._provisions.kept_secrets(job.id)
        if secrets is None:
            try:
                secrets = await self._provisions.secrets_of(definition)
            except StraitError as error:
                return answer.of_internal(error.message, secrets=()), Timing()
        token_life = timeouts.token_seconds(job.timeout_secs, expires_in=run.expires_in)
        seconds = timeouts.attempt_seconds(
            job.timeout_secs,
            overridden=False,
            p95=self._durations.p95(job.id),
            token_life=token_life,
        )
        sent = self._headers(run, provision, secrets, token_life, context)
        began = clock.monotonic()
        first, timing = await self._call(provision, provision.target, run, sent, seconds, secrets)
        spent = clock.monotonic() - began
        self._note(job.project_id, provision.endpoint, first, spent, seconds)
        if (
            isinstance(first, Completed)
            or provision.fallback is None
            or not fallback.may_help(first)
        ):
            return first, timing
        left = fallback.seconds_left(seconds, spent)
        began = clock.monotonic()
        second, timing = await self._call(provision, provision.fallback, run, sent, left, secrets)
        self._note(
            job.project_id, provision.fallback_endpoint, second, clock.monotonic() - began, left
        )
        if isinstance(second, Failure):
            return fallback.both_failed(first, second), timing
        return second, timing

    async def _call(
        self,
        provision: Provision,
        target: Target,
        run: ClaimedRun,
        sent: headers.Headers,
        seconds: float,
        secrets: Mapping[str, str],
    ) -> tuple[Completed | Failure, Timing]:
        hidden: Collection[str] = (*secrets.values(), _token_in(sent))
        try:
            response = await self._client.request(
                "POST",
                target,
                headers=sent,
                body=bytes(run.payload),
                total_seconds=seconds,
                connect_seconds=_CONNECT_SECONDS,
                max_body_bytes=MAX_RESPONSE,
            )
        except OutboundError as error:
            if error.response is not None:  # too long, but it has a status
                return self._read(provision, error.response, hidden, truncated=True), error.timing
            trouble = Trouble(error.kind)
            return answer.of_trouble(trouble, error.message, secrets=hidden), error.timing
        return self._read(provision, response, hidden, truncated=False), response.timing

    def _read(
        self, provision: Provision, response: Response, hidden: Collection[str], *, truncated: bool
    ) -> Completed | Failure:
        schema = provision.definition.result_schema
        said = Answer(
            status=response.status,
            body=response.body,
            truncated=truncated,
            retry_after=response.header("retry-after") if response.status >= 400 else None,  # noqa: PLR2004
        )
        return answer.of_answer(
            said,
            max_result_bytes=self._limits.max_result_bytes,
            problems=schema.problems if schema else None,
            secrets=hidden,
            now=clock.now(),
        )

    def _headers(
        self,
        run: ClaimedRun,
        provision: Provision,
        secrets: Mapping[str, str],
        token_life: float,
        context: TraceContext | None,
    ) -> list[tuple[str, str]]:
        now = clock.unix()
        token = self._tokens.issue(
            run.id,
            project_id=run.project_id,
            attempt=run.attempt,
            expires_at=now + token_life,
            now=now,
        )
        sent = headers.of_run(
            run,
            shared=provision.headers,
            token=token,
            secrets=secrets,
            traceparent=context.traceparent if context else "",
            tracestate=context.tracestate if context else "",
        )
        if provision.signing_secret:
            timestamp = int(now)
            signature = sign_v1(provision.signing_secret, timestamp, bytes(run.payload))
            sent += [
                ("X-Strait-Timestamp", str(timestamp)),
                ("X-Strait-Signature", signature),
            ]
        return sent

    def _note(
        self,
        project_id: str,
        endpoint: str,
        result: Completed | Failure,
        seconds: float,
        timeout: float,
    ) -> None:
        if isinstance(result, Completed):
            self._endpoints.succeeded(project_id, endpoint, seconds=seconds, timeout=timeout)
        elif result.error_class in ENDPOINT_AT_FAULT:
            self._endpoints.failed(project_id, endpoint)

    def _snooze(self, run: ClaimedRun, seconds: float, reason: str) -> Snooze | SystemFailed:
        return outcome.snooze(
            times=notes_of(run).snooze_count,
            at_most=self._limits.max_snoozes,
            delay_seconds=seconds,
            reason=reason,
        )


def notes_of(run: ClaimedRun) -> Notes:
    if run.metadata is None:
        return _NO_NOTES
    return _read_notes(run.metadata)


def _attempt(run: ClaimedRun, provision: Provision, notes: Notes) -> Attempt:
    count = int(notes.error_hash_count) if notes.error_hash_count.isdigit() else 0
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


def _token_in(sent: headers.Headers) -> str:
    return next((value for name, value in sent if name == "X-Run-Token"), "")


def _jitter() -> float:
    return ids.uniform(-_JITTER, _JITTER)
