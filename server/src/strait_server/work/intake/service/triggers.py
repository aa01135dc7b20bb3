"""Triggering: from a request to a committed run.

Concurrent triggers of one process are written together (design 5.1). Those
that need nothing decided go in one statement; the others share a transaction.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct

from strait_server.base import ids
from strait_server.base.clock import unix
from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.db.coalescer import Coalescer
from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Line
from strait_server.base.errors import Invalid, LimitReached, StraitError, TooLarge
from strait_server.work.intake import store
from strait_server.work.intake.model import (
    Draft,
    Plan,
    Triggered,
    TriggeredInBulk,
    TriggerJob,
)
from strait_server.work.intake.rules.rates import scopes
from strait_server.work.intake.service import decisions
from strait_server.work.intake.service.admission import Asked, canonical_payload, check
from strait_server.work.intake.service.decisions import Ticket
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import NewRun, Status
from strait_server.work.queue.rules.expiry import ttl_seconds

_BATCH: Final = 500
_TRIES: Final = 5


class Limits(Struct, frozen=True, kw_only=True):
    """What the settings say about triggers; `worth` is a point of priority in microseconds."""

    worth: int
    default_ttl_secs: int = 0
    max_bulk_items: int = 500


class Origin(Struct, frozen=True, kw_only=True):
    """Who triggers, and in which trace."""

    actor: str
    sees_tokens: bool
    traceparent: str = ""
    tracestate: str = ""


class Intake:
    """Where runs come in. One per process; `run` is its flusher."""

    def __init__(self, line: Line, tokens: RunTokens, limits: Limits) -> None:
        self._line = line
        self._tokens = tokens
        self._limits = limits
        self.flusher: Final[Coalescer[Ticket, Ticket]] = Coalescer(
            self._flush, limit=_BATCH, name="triggers"
        )

    async def trigger(
        self, definition: Definition, request: TriggerJob, *, key: str | None, origin: Origin
    ) -> Triggered:
        """Make a run, or name the one that the idempotency key stands for.

        Returns after the commit. Raises what admission refuses with; nothing
        is made then.
        """
        draft = self._draft(definition, request, key=key, origin=origin)
        ticket = await self._written(Ticket(definition, [draft]))
        return self._answer(ticket, draft, origin)

    async def trigger_in_bulk(
        self, definition: Definition, items: Sequence[TriggerJob], *, origin: Origin
    ) -> TriggeredInBulk:
        """Make all runs or none, in one transaction (behaviour 2.17)."""
        if not 1 <= len(items) <= self._limits.max_bulk_items:
            raise Invalid(f"items: must have 1 to {self._limits.max_bulk_items} entries")
        batch_id = ids.new_id()
        drafts = [
            self._item(definition, item, index, batch_id, origin)
            for index, item in enumerate(items)
        ]
        ticket = await self._written(Ticket(definition, drafts))
        return TriggeredInBulk(
            batch_id=batch_id,
            results=tuple(self._answer(ticket, draft, origin) for draft in drafts),
            total=len(drafts),
            created=len(ticket.new_runs),
        )

    async def plan(
        self, db: Connection, definition: Definition, request: TriggerJob, *, origin: Origin
    ) -> Plan:
        """Say what a trigger would make, and make nothing. Every refusal is `Invalid`."""
        try:
            draft = self._draft(definition, request, key=request.idempotency_key, origin=origin)
        except StraitError as refusal:
            raise Invalid(refusal.message, problems=refusal.problems) from refusal
        ticket = Ticket(definition, [draft])
        trial = db.raw.transaction()
        await trial.start()
        try:
            now = await store.now(db)
            await self._decide(db, [ticket], now)
        finally:
            await trial.rollback()
        if ticket.refusal is not None:
            raise Invalid(ticket.refusal.message) from ticket.refusal
        run = ticket.runs[0]
        starts_at = max(now, run.scheduled_at) if run.scheduled_at else now
        return Plan(
            job=definition.job,
            payload_hash=draft.payload_hash,
            payload=msgspec.Raw(run.payload),
            scheduled_at=run.scheduled_at or UNSET,
            expires_at=starts_at + timedelta(seconds=run.ttl_seconds),
            validation_warnings=("the idempotency key is taken",) if ticket.hits else UNSET,
        )

    async def _written(self, ticket: Ticket) -> Ticket:
        for _ in range(_TRIES):
            await self.flusher.submit(ticket)
            if ticket.refusal is not None:
                raise ticket.refusal
            if not ticket.postponed:
                return ticket
            ticket.postponed = False
            ticket.hits.clear()
        raise LimitReached("the idempotency key is contended", retry_after=1)

    def _draft(
        self, definition: Definition, request: TriggerJob, *, key: str | None, origin: Origin
    ) -> Draft:
        job = definition.job
        payload = canonical_payload(bytes(request.payload))
        check(Asked(definition, request, payload))
        tags = {**definition.tags, **request.tags} if request.tags else definition.tags
        gate, next_gate = definition.gates(request.concurrency_key)
        run = NewRun(
            id=ids.new_id(),
            project_id=job.project_id,
            job_id=job.id,
            payload=payload,
            ttl_seconds=ttl_seconds(
                requested=request.ttl_secs,
                job_ttl=job.run_ttl_secs,
                default_ttl=self._limits.default_ttl_secs,
                timeout=job.timeout_secs,
            ),
            job_version=job.version,
            job_version_id=job.version_id,
            priority=request.priority or 0,
            scheduled_at=request.scheduled_at,
            tags=msgspec.json.encode(tags) if tags else None,
            metadata=_metadata(definition, request, origin),
            created_by=origin.actor,
            concurrency_key=request.concurrency_key or None,
            idempotency_key=key or None,
            gate=gate,
            next_gate=next_gate,
            metered=job.metered,
        )
        limited = job.rate_limit_max or job.rate_limit_keys
        rates = scopes(job, payload, tags) if limited else ()
        return Draft(run=run, payload_hash=hashlib.sha256(payload).hexdigest(), rates=rates)

    def _item(
        self, definition: Definition, item: TriggerJob, index: int, batch_id: UUID, origin: Origin
    ) -> Draft:
        if item.dry_run:
            raise Invalid(f"items[{index}]: dry_run is not possible in a bulk trigger")
        try:
            draft = self._draft(definition, item, key=item.idempotency_key, origin=origin)
        except (Invalid, TooLarge) as refusal:
            raise type(refusal)(
                f"items[{index}]: {refusal.message}", problems=refusal.problems
            ) from refusal
        run = msgspec.structs.replace(draft.run, batch_id=batch_id)
        return msgspec.structs.replace(draft, run=run)

    def _answer(self, ticket: Ticket, draft: Draft, origin: Origin) -> Triggered:
        run = draft.run
        hit = ticket.hits.get(run.id)
        if hit is not None:
            return Triggered(id=hit[0], status=hit[1], idempotency_hit=True)
        made = next(made for made in ticket.runs if made.id == run.id)
        created_at, scheduled_at = ticket.created_at, made.scheduled_at
        delayed = bool(created_at and scheduled_at and scheduled_at > created_at)
        return Triggered(
            id=run.id,
            status=Status.DELAYED if delayed else Status.QUEUED,
            idempotency_hit=False,
            payload_hash=draft.payload_hash,
            run_token=self._token(ticket.definition, made) if origin.sees_tokens else UNSET,
            job_id=run.job_id,
            project_id=run.project_id,
            created_at=ticket.created_at or UNSET,
        )

    def _token(self, definition: Definition, run: NewRun) -> str:
        now = unix()
        starts = max(now, run.scheduled_at.timestamp()) if run.scheduled_at else now
        lives = max(run.ttl_seconds, definition.job.timeout_secs + 60)
        return self._tokens.issue(
            run.id, project_id=run.project_id, attempt=None, expires_at=starts + lives, now=now
        )

    async def _flush(self, tickets: Sequence[Ticket]) -> Sequence[Ticket | Exception]:
        async with self._line.connection() as db:
            plain = [ticket for ticket in tickets if not _needs_decisions(ticket)]
            if plain:
                runs = [run for ticket in plain for run in ticket.runs]
                created_at = await queue.enqueue(db, runs, worth=self._limits.worth)
                for ticket in plain:
                    ticket.created_at = created_at
            others = [ticket for ticket in tickets if _needs_decisions(ticket)]
            if others:
                await self._admit(db, others)
        return tickets

    async def _admit(self, db: Connection, tickets: Sequence[Ticket]) -> None:
        async with db.transaction():
            now = await store.now(db)
            await self._decide(db, tickets, now)
            runs = [run for ticket in tickets if ticket.open for run in ticket.new_runs]
            if runs:
                await queue.enqueue(db, runs, worth=self._limits.worth)
            for ticket in tickets:
                ticket.created_at = now
                await _remember_batch(db, ticket)

    async def _decide(self, db: Connection, tickets: Sequence[Ticket], now: datetime) -> None:
        """Decide in the order of behaviour 2.8."""
        decisions.schedule(tickets, now=now)  # 8
        await decisions.reserve_keys(db, tickets)  # 10
        await decisions.keep_quotas(db, tickets)  # 11
        await decisions.keep_rates(db, tickets)  # 13
        decisions.wait_for_window(tickets, now=now)  # 17
        await decisions.let_go_of_keys(db, tickets)


def _needs_decisions(ticket: Ticket) -> bool:
    job = ticket.definition.job
    if job.metered or job.execution_window_cron or len(ticket.drafts) > 1:
        return True
    draft = ticket.drafts[0]
    run = draft.run
    return bool(draft.rates or run.idempotency_key or run.scheduled_at or run.batch_id)


async def _remember_batch(db: Connection, ticket: Ticket) -> None:
    run = ticket.runs[0]
    if run.batch_id is not None and ticket.open:
        await store.insert_batch(
            db,
            run.batch_id,
            project_id=run.project_id,
            job_id=run.job_id,
            item_count=len(ticket.drafts),
            created_count=len(ticket.new_runs),
            created_by=run.created_by or "",
        )


def _metadata(definition: Definition, request: TriggerJob, origin: Origin) -> bytes | None:
    if not (definition.metadata or request.metadata or origin.traceparent):
        return None
    metadata: dict[str, object] = {**definition.metadata, **(request.metadata or {})}
    if origin.traceparent:
        metadata["_trace_parent"] = origin.traceparent
        if origin.tracestate:
            metadata["_trace_state"] = origin.tracestate
    return msgspec.json.encode(metadata)
