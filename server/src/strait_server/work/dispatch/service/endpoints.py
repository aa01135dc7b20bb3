"""Circuits and health of endpoints: decided here, shared through PostgreSQL.

Each worker keeps a copy per project and endpoint, so that a healthy endpoint
costs the hot path one look-up. What happened is folded into a report and added
to the database, at once after a failure, else every second or two; a state
that changes there is announced, and every copy is read again. Which of many
workers may probe a half-open circuit is decided by one conditional update
(T34). Copies hold instants on a clock of their own, counted from the process's
monotonic clock: the database tells how many seconds are left, never a time.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from msgspec import Struct

from strait_server.base.clock import monotonic
from strait_server.base.db.database import Database, Line
from strait_server.base.errors import Unavailable
from strait_server.work.dispatch import store
from strait_server.work.dispatch.model import (
    Allow,
    Circuit,
    EndpointReport,
    Gate,
    Level,
    Probe,
    Wait,
)
from strait_server.work.dispatch.rules import circuit as circuits
from strait_server.work.dispatch.rules import health

CHANNEL: Final = "strait_circuits"
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_REPORT_EVERY: Final = 1.5
_CAPACITY: Final = 10_000
_log = structlog.get_logger(__name__)


class _Known(Struct):
    """One endpoint's copy, and what is to be reported of it."""

    project_id: str
    endpoint: str
    circuit: Circuit = Circuit()
    score: float = health.PERFECT
    probe_until: datetime | None = None
    recovered: bool = False
    failures: int = 0
    score_kept: float = 1.0
    score_added: float = 0.0

    @property
    def healthy(self) -> bool:
        return self.circuit == Circuit() and health.level(self.score) is Level.HEALTHY


class Endpoints:
    """What a worker knows of endpoints. `run` reports it."""

    def __init__(self, database: Database, line: Line) -> None:
        self._database = database
        self._line = line
        self._known: dict[tuple[str, str], _Known] = {}
        self._unreported: dict[tuple[str, str], _Known] = {}
        self._urgent = asyncio.Event()

    async def admit(self, project_id: str, endpoint: str, *, probe_seconds: float) -> Gate:
        """May a run be sent there now? For a `Wait`, see `seconds_until`."""
        known = self._known.get((project_id, endpoint))
        if known is None:
            known = await self._load(project_id, endpoint)
        if known.healthy:
            return Allow()
        return await self._admit_ailing(known, probe_seconds)

    def seconds_until(self, instant: datetime) -> float:
        """How far away an instant of a `Wait` is."""
        return max((instant - _now()).total_seconds(), 0.0)

    def score(self, project_id: str, endpoint: str) -> float:
        known = self._known.get((project_id, endpoint))
        return health.PERFECT if known is None else known.score

    def succeeded(self, project_id: str, endpoint: str, *, seconds: float, timeout: float) -> None:
        """Count a success. It closes the circuit, at once if that changes anything."""
        known = self._touch(project_id, endpoint)
        moved = health.after_success(known.score, seconds=seconds, timeout=timeout)
        self._move_score(known, moved)
        known.recovered, known.failures = True, 0
        if known.circuit != Circuit():
            known.circuit = circuits.after_success()
            self._urgent.set()

    def failed(self, project_id: str, endpoint: str) -> None:
        """Count a failure that is the endpoint's own."""
        known = self._touch(project_id, endpoint)
        self._move_score(known, health.after_failure(known.score))
        known.failures += 1
        known.circuit = circuits.after_failure(known.circuit, now=_now())
        self._urgent.set()

    def changed(self, payload: str = "") -> None:
        """Another worker saw a circuit change, or we may have missed that: read it again."""
        project_id, _, endpoint = payload.partition(" ")
        if payload:
            self._known.pop((project_id, endpoint), None)
        else:
            self._known.clear()

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            try:
                async with asyncio.timeout(_REPORT_EVERY):
                    await self._urgent.wait()
            except TimeoutError:
                pass
            self._urgent.clear()
            await self.report()

    async def report(self) -> None:
        """Add what happened since the last report to the database."""
        unreported, self._unreported = self._unreported, {}
        if not unreported:
            return
        reports = [_take_report(known) for known in unreported.values()]
        try:
            async with self._line.connection() as db:
                await store.report(
                    db,
                    reports,
                    threshold=circuits.FAILURES_TO_OPEN,
                    open_seconds=circuits.OPEN_FOR.total_seconds(),
                )
        except Exception:  # noqa: BLE001 - a lost report must not stop dispatching
            _log.exception("endpoint report lost", endpoints=len(reports))

    async def _load(self, project_id: str, endpoint: str) -> _Known:
        try:
            async with self._database.connection() as db:
                row = await store.circuit(db, project_id, endpoint)
        except Unavailable:
            row = None  # without the database nothing is claimed; this run goes on
        known = _Known(project_id=project_id, endpoint=endpoint)
        if row is not None:
            known.score = row.health_score
            known.circuit = Circuit(
                state=row.state,
                failures=row.failures,
                open_until=_in(row.opens_in),
                probe_until=_in(row.probe_ends_in),
            )
        if len(self._known) >= _CAPACITY:
            self._known.clear()
        return self._known.setdefault((project_id, endpoint), known)

    async def _admit_ailing(self, known: _Known, probe_seconds: float) -> Gate:
        now = _now()
        gate = circuits.admit(known.circuit, now=now, probe_for=timedelta(seconds=probe_seconds))
        match gate:
            case Wait():
                return gate
            case Probe(until):
                return await self._probe(known, until, probe_seconds)
            case Allow():
                verdict = health.admit(known.score, probe_until=known.probe_until, now=now)
                if isinstance(verdict, Probe):
                    known.probe_until = verdict.until
                    return Allow()
                return verdict

    async def _probe(self, known: _Known, until: datetime, seconds: float) -> Gate:
        async with self._line.connection() as db:
            first = await store.probe(db, known.project_id, known.endpoint, seconds=seconds)
        if first:
            known.circuit = circuits.probing(known.circuit, until=until)
            return Probe(until)
        self._known.pop((known.project_id, known.endpoint), None)
        return Wait(_now() + timedelta(seconds=1))

    def _touch(self, project_id: str, endpoint: str) -> _Known:
        key = project_id, endpoint
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known(project_id=project_id, endpoint=endpoint)
        pending = self._unreported.setdefault(key, known)
        if pending is not known:  # the copy was read again while a report was due
            known.recovered, known.failures = pending.recovered, pending.failures
            known.score_kept, known.score_added = pending.score_kept, pending.score_added
            self._unreported[key] = known
        return known

    def _move_score(self, known: _Known, moved: float) -> None:
        kept = 1.0 - health.NEWEST
        added = moved - kept * known.score
        known.score = moved
        known.score_kept *= kept
        known.score_added = known.score_added * kept + added


def _take_report(known: _Known) -> EndpointReport:
    report = EndpointReport(
        project_id=known.project_id,
        endpoint=known.endpoint,
        recovered=known.recovered,
        failures=known.failures,
        score_kept=known.score_kept,
        score_added=known.score_added,
    )
    known.recovered, known.failures = False, 0
    known.score_kept, known.score_added = 1.0, 0.0
    return report


def _now() -> datetime:
    return _EPOCH + timedelta(seconds=monotonic())


def _in(seconds: float | None) -> datetime | None:
    return None if seconds is None else _now() + timedelta(seconds=seconds)
