"""One request to one endpoint: put together, sent, and its answer read (behaviour 3.2, 3.3)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from strait_server.base import clock
from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.crypto.signing import sign_v1
from strait_server.base.outbound.client import Client
from strait_server.base.outbound.message import Lines
from strait_server.base.outbound.outcome import OutboundError, Response, Timing
from strait_server.base.outbound.urls import Target
from strait_server.base.telemetry.tracing import TraceContext
from strait_server.work.dispatch.model import Answer, Completed, Failure, Trouble
from strait_server.work.dispatch.rules import answer, headers
from strait_server.work.dispatch.service.provisions import Provision
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue.model import ClaimedRun

MAX_RESPONSE: Final = 1_048_576
_CONNECT_SECONDS: Final = 10.0


class Letter(Struct, frozen=True):
    """A request of one attempt, fit for any endpoint of its job.

    What is `hidden` was told in confidence and must not come back in an error.
    `epoch` is when this process's monotonic clock was zero, in Unix seconds of the
    database's: what is told to endpoints never depends on the clock of a worker.
    """

    prepared: Lines
    headers: Sequence[tuple[str, str]]
    body: bytes
    hidden: tuple[str, ...]
    epoch: float

    def now(self) -> float:
        """Seconds since 1970, by the database."""
        return self.epoch + clock.monotonic()


class Calls:
    """Calls endpoints. One per worker."""

    def __init__(self, client: Client, tokens: RunTokens, *, max_result_bytes: int) -> None:
        self._client = client
        self._tokens = tokens
        self._max_result_bytes = max_result_bytes

    def write(
        self,
        run: ClaimedRun,
        provision: Provision,
        *,
        secrets: Mapping[str, str],
        token_seconds: float,
        context: TraceContext | None,
        claimed: float,
    ) -> Letter:
        """Put the request together, with a token that lives for so long.

        `claimed` is the monotonic moment of the claim, at which the database said its time.
        """
        epoch = run.micros / 1_000_000 - claimed
        now = epoch + clock.monotonic()
        body = bytes(run.payload)
        token = self._tokens.issue(
            run.id,
            project_id=run.project_id,
            attempt=run.attempt,
            expires_at=now + token_seconds,
            now=now,
        )
        prepared = Lines(provision.headers + headers.of_attempt(run, token=token))
        sent = headers.of_some_attempts(
            run,
            secrets=secrets,
            traceparent=context.traceparent if context else "",
            tracestate=context.tracestate if context else "",
        )
        if provision.signing_secret:
            timestamp = int(now)
            sent += [
                ("X-Strait-Timestamp", str(timestamp)),
                ("X-Strait-Signature", sign_v1(provision.signing_secret, timestamp, body)),
            ]
        return Letter(prepared, sent, body, (*secrets.values(), token), epoch)

    async def send(
        self, letter: Letter, target: Target, definition: Definition, *, seconds: float
    ) -> tuple[Completed | Failure, Timing]:
        """Send it to one of the job's endpoints, and read what it answers within the time."""
        try:
            response = await self._client.request(
                "POST",
                target,
                prepared=letter.prepared,
                headers=letter.headers,
                body=letter.body,
                total_seconds=seconds,
                connect_seconds=_CONNECT_SECONDS,
                max_body_bytes=MAX_RESPONSE,
            )
        except OutboundError as error:
            if error.response is not None:  # too long, but it has a status
                return self._read(error.response, letter, definition, truncated=True), error.timing
            trouble = answer.of_trouble(Trouble(error.kind), error.message, secrets=letter.hidden)
            return trouble, error.timing
        return self._read(response, letter, definition, truncated=False), response.timing

    def _read(
        self, response: Response, letter: Letter, definition: Definition, *, truncated: bool
    ) -> Completed | Failure:
        if answer.is_success(response.status):
            schema = definition.result_schema
            return answer.of_success(
                response.body,
                truncated=truncated,
                max_result_bytes=self._max_result_bytes,
                problems=schema.problems if schema else None,
            )
        refused = Answer(
            status=response.status,
            body=response.body,
            retry_after=response.header("retry-after"),
        )
        now = datetime.fromtimestamp(letter.now(), UTC)
        return answer.of_refusal(refused, secrets=letter.hidden, now=now)
