"""Every process's copies of job definitions.

A trigger and a dispatch read the definition from here, not from the database.
Copies are dropped when a change is announced, and the claim carries the job's
revision, so that no run is ever sent by an older definition than the one in
force when it was claimed (T127).
"""

from collections import OrderedDict
from functools import cached_property, partial
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from strait_server.base.clock import monotonic
from strait_server.base.cron import Cron, parse
from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Database
from strait_server.base.ids import as_id
from strait_server.base.single_flight import SingleFlight
from strait_server.work.jobs.model import DefinitionRow
from strait_server.work.jobs.rules.schemas import Schema, compile_schema
from strait_server.work.jobs.store import definitions as store
from strait_server.work.queue.model import key_gate

_CAPACITY: Final = 10_000


class Definition:
    """One job as its runs see it: the row, and what is made of it once."""

    def __init__(self, job: DefinitionRow) -> None:
        self.job: Final = job

    @cached_property
    def payload_schema(self) -> Schema | None:
        raw = self.job.payload_schema
        return None if raw is None else compile_schema(bytes(raw))

    @cached_property
    def result_schema(self) -> Schema | None:
        raw = self.job.result_schema
        return None if raw is None else compile_schema(bytes(raw))

    @cached_property
    def window(self) -> Cron | None:
        """When its runs may be sent; None means always."""
        expression = self.job.execution_window_cron
        return parse(expression) if expression else None

    @cached_property
    def zone(self) -> ZoneInfo:
        """The job's time zone, else the project's (behaviour 2.11)."""
        return ZoneInfo(self.job.timezone or self.job.project_timezone)

    @cached_property
    def tags(self) -> dict[str, str]:
        return {} if self.job.tags is None else msgspec.json.decode(self.job.tags)

    @cached_property
    def metadata(self) -> dict[str, object]:
        raw = self.job.default_run_metadata
        return {} if raw is None else msgspec.json.decode(raw)

    @cached_property
    def job_gate(self) -> str | None:
        return f"job:{self.job.id}" if self.job.max_concurrency else None

    def gates(self, concurrency_key: str | None) -> tuple[str | None, str | None]:
        """Return the gates a run passes, in order: its key's, then the job's.

        The key comes first, so that runs waiting for a busy key do not fill
        the job's places.
        """
        if self.job.paused or not self.job.enabled:
            return f"pause:{self.job.id}", None
        if concurrency_key and self.job.max_concurrency_per_key:
            return key_gate(self.job.project_id, concurrency_key), self.job_gate
        return self.job_gate, None


class Definitions:
    """The copies, by id and by slug. The least recently used go first."""

    def __init__(self, database: Database, *, ttl_seconds: float) -> None:
        self._database = database
        self._ttl = ttl_seconds
        self._kept: OrderedDict[UUID | tuple[str, str], tuple[float, Definition]] = OrderedDict()
        self._readings: SingleFlight[UUID | tuple[str, str], Definition | None] = SingleFlight()
        self._generation = 0

    async def by_reference(self, project_id: str, reference: str) -> Definition | None:
        """Return the project's job with this id or slug (api 9)."""
        kept = self._fresh((project_id, reference))
        if kept is not None:
            return kept
        return await self._load((project_id, reference))

    def kept(self, job_id: UUID, *, revision: int = 0) -> Definition | None:
        """Return the job if it is at hand, at least as new as `revision`: no need to wait."""
        kept = self._fresh(job_id)
        return kept if kept is not None and kept.job.revision >= revision else None

    async def by_id(self, job_id: UUID, *, revision: int = 0) -> Definition | None:
        """Return the job, at least as new as `revision`."""
        kept = self.kept(job_id, revision=revision)
        if kept is not None:
            return kept
        loaded = await self._load(job_id)
        if loaded is not None and loaded.job.revision < revision:
            return await self._read(job_id)  # that reading had begun before the change
        return loaded

    def forget(self, payload: str = "") -> None:
        """Drop the copies of the job that has changed; all of them if it may have been any.

        What is being read may be older than the change: it is answered, not kept (T127).
        """
        what, _, job_id = payload.partition(":")
        if what not in {"", "job", "project"}:
            return
        self._generation += 1
        self._readings.forget()
        if what != "job":
            self._kept.clear()
            return
        for key in [key for key, (_, it) in self._kept.items() if str(it.job.id) == job_id]:
            del self._kept[key]

    def _fresh(self, key: UUID | tuple[str, str]) -> Definition | None:
        entry = self._kept.get(key)
        if entry is None or entry[0] < monotonic():
            return None
        self._kept.move_to_end(key)
        return entry[1]

    async def _load(self, key: UUID | tuple[str, str]) -> Definition | None:
        return await self._readings.do(key, partial(self._read, key))

    async def _read(self, key: UUID | tuple[str, str]) -> Definition | None:
        generation = self._generation
        async with self._database.connection() as db:
            row = await _find(db, key)
        if row is None:
            return None
        definition = Definition(row)
        if generation == self._generation and self._ttl > 0:
            self._keep(key, definition)
        return definition

    def _keep(self, key: UUID | tuple[str, str], definition: Definition) -> None:
        until = monotonic() + self._ttl
        self._kept[key] = until, definition
        if len(self._kept) > _CAPACITY:
            self._kept.popitem(last=False)


async def _find(db: Connection, key: UUID | tuple[str, str]) -> DefinitionRow | None:
    if isinstance(key, UUID):
        return await store.find(db, None, job_id=key, slug=None)
    project_id, reference = key
    return await store.find(db, project_id, job_id=as_id(reference), slug=reference)
