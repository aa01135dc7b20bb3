"""Triggering: from a request to a committed run.

Concurrent triggers of one process are written together (design 5.1): in one
statement when there is nothing to decide, else in one transaction. Either way
all of a flush is committed, or nothing.
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
from strait_server.base.db.outage import FAILURES, is_outage
from strait_server.base.errors import Invalid, LimitReached, StraitError, TooLarge
from strait_server.work.intake import store
from strait_server.work.intake.model import (
    MOST_ITEMS,
    Draft,
    Plan,
    Triggered,
    TriggeredInBulk,
    TriggerJob,
)
from strait_server.work.intake.rules.expiry import ttl_seconds
from strait_server.work.intake.rules.rates import scopes
from strait_server.work.intake.service import decisions
from strait_server.work.intake.service.admission import (
    Asked,
    canonical_payload,
    check,
    check_job,
    of_item,
)
from strait_server.work.intake.service.decisions import Passage, Ticket
from strait_server.work.jobs.model import Job
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import NewRun

_BATCH: Final = 500
# What one flush may write: as much as takes a second where everything is slow.
_HEAVIEST: Final = 5_000  # runs, each as heavy as so many bytes of payload:
_BYTES_OF_A_RUN: Final = 4_096
_TRIES: Final = 5


class Limits(Struct, frozen=True, kw_only=True):
    """What the settings say about triggers; `worth` is a point of priority in microseconds."""

    worth: int
    default_ttl_secs: int = 0
    max_bulk_items: int = MOST_ITEMS


class Origin(Struct, frozen=True, kw_only=True):
    """Who triggers, and in which trace."""

    actor: str
    sees_tokens: bool
    traceparent: str = ""
    tracestate: str = ""


class Intake:
    """Where runs come in. One per process; `flusher.run` writes them."""

    def __init__(self, line: Line, tokens: RunTokens, limits: Limits) -> None:
        self._line = line
        self._tokens = tokens
        self._limits = limits
        self.flusher: Final[Coalescer[Ticket, Passage]] = Coalescer(
            self._flush, limit=_BATCH, revocable=True, weigh=_weight, heaviest=_HEAVIEST
        )

    async def trigger(
        self, definition: Definition, request: TriggerJob, *, key: str | None, origin: Origin
    ) -> Triggered:
        """Make a run, or name the one that the idempotency key stands for.

        Returns after the commit. Raises what admission refuses with; nothing
        is made then.
        """
        check_job(definition)
        draft = self._draft(definition, request, key=key, origin=origin)
        passage = await self._pass(Ticket(definition, [draft]))
        run = passage.runs[draft.run.id]
        if (earlier := passage.earlier(run.id)) is not None:
            return Triggered(id=earlier.run_id, status=earlier.status, idempotency_hit=True)
        return Triggered(
            id=run.id,
            status=passage.status_of(run.id),
            idempotency_hit=False,
            payload_hash=draft.payload_hash,
            run_token=self._token(definition, run) if origin.sees_tokens else UNSET,
            job_id=run.job_id,
            project_id=run.project_id,
            created_at=passage.created_at or UNSET,
        )

    async def trigger_in_bulk(
        self, definition: Definition, items: Sequence[TriggerJob], *, origin: Origin
    ) -> TriggeredInBulk:
        """Make all runs or none, in one transaction (behaviour 2.17)."""
        check_job(definition)
        if not 1 <= len(items) <= self._limits.max_bulk_items:
            raise Invalid(f"items: must have 1 to {self._limits.max_bulk_items} entries")
        batch_id = ids.new_id()
        drafts = [
            self._item(definition, item, index, batch_id, origin)
            for index, item in enumerate(items)
        ]
        passage = await self._pass(Ticket(definition, drafts))
        return TriggeredInBulk(
            batch_id=batch_id,
            results=tuple(self._result(passage, run, origin) for run in passage.runs.values()),
            total=len(drafts),
            created=len(passage.new_runs),
        )

    async def plan(
        self,
        db: Connection,
        definition: Definition,
        request: TriggerJob,
        *,
        key: str | None,
        origin: Origin,
    ) -> Plan:
        """Say what a trigger would make, and make nothing. Every refusal is `Invalid`."""
        try:
            check_job(definition)
            draft = self._draft(definition, request, key=key, origin=origin)
        except StraitError as refusal:
            raise Invalid(refusal.message, problems=refusal.problems) from refusal
        passage, now = await self._try(db, Ticket(definition, [draft]))
        if passage.refusal is not None:
            raise Invalid(passage.refusal.message) from passage.refusal
        run = passage.runs[draft.run.id]
        starts_at = max(now, run.scheduled_at) if run.scheduled_at else now
        return Plan(
            job=_shown(definition.job),
            payload_hash=draft.payload_hash,
            payload=msgspec.Raw(run.payload),
            scheduled_at=run.scheduled_at or UNSET,
            expires_at=starts_at + timedelta(seconds=run.ttl_seconds),
            validation_warnings=("the idempotency key is taken",) if passage.hits else UNSET,
        )

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
            raise of_item(Invalid("dry_run is not possible in a bulk trigger"), index)
        try:
            draft = self._draft(definition, item, key=item.idempotency_key, origin=origin)
        except (Invalid, TooLarge) as refusal:
            raise of_item(refusal, index) from refusal
        run = msgspec.structs.replace(draft.run, batch_id=batch_id)
        return msgspec.structs.replace(draft, run=run)

    def _result(self, passage: Passage, run: NewRun, origin: Origin) -> Triggered:
        if (earlier := passage.earlier(run.id)) is not None:
            return Triggered(
                id=earlier.run_id,
                status=earlier.status,
                run_token="" if origin.sees_tokens else UNSET,
                idempotency_hit=True,
            )
        return Triggered(
            id=run.id,
            status=passage.status_of(run.id),
            run_token=self._token(passage.definition, run) if origin.sees_tokens else UNSET,
            idempotency_hit=False,
        )

    def _token(self, definition: Definition, run: NewRun) -> str:
        now = unix()
        starts = max(now, run.scheduled_at.timestamp()) if run.scheduled_at else now
        lives = max(run.ttl_seconds, definition.job.timeout_secs + 60)
        return self._tokens.issue(
            run.id, project_id=run.project_id, attempt=None, expires_at=starts + lives, now=now
        )

    async def _pass(self, ticket: Ticket) -> Passage:
        """Have a ticket decided and its runs written. One that is postponed is tried again."""
        for _ in range(_TRIES):
            passage = await self.flusher.submit(ticket)
            if passage.refusal is not None:
                raise passage.refusal
            if not passage.postponed:
                return passage
        raise LimitReached("the idempotency key is contended", retry_after=1)

    async def _try(self, db: Connection, ticket: Ticket) -> tuple[Passage, datetime]:
        """Have a ticket decided, and take back whatever that has written."""
        passage = Passage(ticket)
        trial = db.raw.transaction()
        await trial.start()
        try:
            now = await store.now(db)
            await _decide(db, [passage], now)
        finally:
            await trial.rollback()
        return passage, now

    async def _flush(self, tickets: Sequence[Ticket]) -> Sequence[Passage]:
        passages = [Passage(ticket) for ticket in tickets]
        asked = False
        try:
            async with self._line.connection() as db:
                asked = True
                created_at = await self._write(db, passages)
        except FAILURES as error:
            if not (asked and is_outage(error)):
                raise
            found = await self._found(passages)
            if found is None:
                raise
            created_at = found
        for passage in passages:
            passage.created_at = created_at
        return passages

    async def _write(self, db: Connection, passages: Sequence[Passage]) -> datetime:
        if any(map(_needs_decisions, passages)):
            return await self._admit(db, passages)
        return await self._enqueue(db, passages)

    async def _found(self, passages: Sequence[Passage]) -> datetime | None:
        """Find out when runs were made of which we were not told. None: they were not.

        Nobody is told to try again what was done (api 3.2), as far as we can find
        out: by now nothing more is written on the line that fell silent, and all
        of a flush is there or nothing.
        """
        made = next((run for p in passages if p.open for run in p.new_runs), None)
        if made is None:
            return None
        async with self._line.connection() as db:
            return await queue.made_at(db, made.id)

    async def _admit(self, db: Connection, passages: Sequence[Passage]) -> datetime:
        async with db.transaction():
            now = await store.now(db)
            await _decide(db, passages, now)
            admitted = [passage for passage in passages if passage.open]
            if any(passage.new_runs for passage in admitted):
                await self._enqueue(db, admitted)
            for passage in admitted:
                await _remember_batch(db, passage)
        return now

    async def _enqueue(self, db: Connection, passages: Sequence[Passage]) -> datetime:
        runs = [run for passage in passages for run in passage.new_runs]
        return await queue.enqueue(db, runs, worth=self._limits.worth)


async def _decide(db: Connection, passages: Sequence[Passage], now: datetime) -> None:
    """Decide in the order of behaviour 2.8."""
    decisions.check_schedules(passages, now=now)  # 8
    await decisions.reserve_keys(db, passages)  # 10
    await decisions.keep_quotas(db, passages)  # 11
    await decisions.keep_rates(db, passages)  # 13
    decisions.wait_for_window(passages, now=now)  # 17
    await decisions.let_go_of_keys(db, passages)


def _weight(ticket: Ticket) -> int:
    return sum(1 + len(draft.run.payload) // _BYTES_OF_A_RUN for draft in ticket.drafts)


def _needs_decisions(passage: Passage) -> bool:
    job = passage.definition.job
    if job.metered or job.execution_window_cron:
        return True
    draft = passage.drafts[0]
    run = draft.run
    return bool(draft.rates or run.idempotency_key or run.scheduled_at or run.batch_id)


async def _remember_batch(db: Connection, passage: Passage) -> None:
    run = passage.drafts[0].run
    if run.batch_id is not None:
        await store.insert_batch(
            db,
            run.batch_id,
            project_id=run.project_id,
            job_id=run.job_id,
            item_count=len(passage.drafts),
            created_count=len(passage.new_runs),
            created_by=run.created_by or "",
        )


def _shown(job: Job) -> Job:
    """Leave out what a definition knows beyond the job that its owner may see."""
    return Job(**{name: getattr(job, name) for name in Job.__struct_fields__})


def _metadata(definition: Definition, request: TriggerJob, origin: Origin) -> bytes | None:
    if not (definition.metadata or request.metadata or origin.traceparent):
        return None
    metadata: dict[str, object] = {**definition.metadata, **(request.metadata or {})}
    if origin.traceparent:
        metadata["_trace_parent"] = origin.traceparent
        if origin.tracestate:
            metadata["_trace_state"] = origin.tracestate
    return msgspec.json.encode(metadata)
