"""Circuits and health of endpoints: decided here, shared through PostgreSQL.

Each worker keeps a copy per project and endpoint, so that a healthy endpoint
costs the hot path one look-up. What happened is tallied and added to the
database, at once after a failure, else every second or two; a state that
changes there is announced, and every copy is read again. Which of many workers
may probe a half-open circuit is decided by one conditional update (T34).
Copies hold instants on a clock of their own, counted from the process's
monotonic clock: the database tells how many seconds are left, never a time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple, TypeAlias

import structlog
from msgspec import Struct
from msgspec.structs import replace

from strait_server.base.clock import monotonic
from strait_server.base.db.database import Database, Line
from strait_server.base.db.outage import is_outage
from strait_server.base.errors import Unavailable
from strait_server.base.single_flight import SingleFlight
from strait_server.work.dispatch import store
from strait_server.work.dispatch.model import (
    Allow,
    Circuit,
    CircuitState,
    EndpointReport,
    Level,
    Probe,
    Wait,
)
from strait_server.work.dispatch.rules import circuit as circuits
from strait_server.work.dispatch.rules import health

CHANNEL: Final = "strait_circuits"
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_CLOSED: Final = Circuit()
_KEPT: Final = 1.0 - health.NEWEST
_REPORT_EVERY: Final = 1.5
_SOON: Final = 1.0
_AT_ONCE: Final = 100  # reports in a statement, which holds each against every other
_CAPACITY: Final = 10_000
_log = structlog.get_logger(__name__)

_Key: TypeAlias = tuple[str, str]  # project and endpoint


class Later(NamedTuple):
    """Not now: in so many seconds. When `probed`, it may well be sooner."""

    seconds: float
    reason: str
    probed: bool = False


class _Known(Struct):
    """One endpoint's copy. `probing`: a run of ours is the probe."""

    circuit: Circuit = _CLOSED
    score: float = health.PERFECT
    probing: bool = False
    probe_until: datetime | None = None

    @property
    def healthy(self) -> bool:
        return self.circuit == _CLOSED and health.level(self.score) is Level.HEALTHY


class _Tally(Struct):
    """What happened at an endpoint since the last report, as `EndpointReport` tells it."""

    recovered: bool = False
    failures: int = 0
    score_kept: float = 1.0
    score_added: float = 0.0

    def move_score(self, added: float) -> None:
        """Let the newest run count: a tenth of the score, all of it in `added`."""
        self.score_kept *= _KEPT
        self.score_added = self.score_added * _KEPT + added

    def before(self, later: "_Tally") -> "_Tally":
        """Join this one and what happened after it."""
        return _Tally(
            recovered=self.recovered or later.recovered,
            failures=later.failures if later.recovered else self.failures + later.failures,
            score_kept=self.score_kept * later.score_kept,
            score_added=self.score_added * later.score_kept + later.score_added,
        )


class Endpoints:
    """What a worker knows of endpoints. `run` reports it."""

    def __init__(self, database: Database, line: Line) -> None:
        self._database = database
        self._line = line
        self._known: dict[_Key, _Known] = {}
        self._readings: SingleFlight[_Key, _Known] = SingleFlight()
        self._unreported: defaultdict[_Key, _Tally] = defaultdict(_Tally)
        self._urgent = asyncio.Event()
        self._changes = 0

    def is_healthy(self, project_id: str, endpoint: str) -> bool:
        """Say whether runs may be sent there without asking; False if that is not known."""
        known = self._known.get((project_id, endpoint))
        return known is not None and known.healthy

    async def admit(
        self, project_id: str, endpoint: str, *, probe_seconds: float
    ) -> Allow | Probe | Later:
        """Say whether a run may be sent there now.

        Whoever is told to probe is alone with it for `probe_seconds`, or until
        `succeeded`, `failed` or `undecided` is heard.
        """
        key = project_id, endpoint
        known = self._known.get(key)
        if known is None:
            known = await self._readings.do(key, partial(self._load, key))
        if known.healthy:
            return Allow()
        return await self._admit_ailing(key, known, probe_seconds)

    def score(self, project_id: str, endpoint: str) -> float:
        known = self._known.get((project_id, endpoint))
        return health.PERFECT if known is None else known.score

    def succeeded(self, project_id: str, endpoint: str, *, seconds: float, timeout: float) -> None:
        """Count a success. It closes the circuit, at once if that changes anything."""
        key = project_id, endpoint
        added = health.after_success(0.0, seconds=seconds, timeout=timeout)
        tally, known = self._unreported[key], self._known.get(key)
        tally.recovered, tally.failures = True, 0
        tally.move_score(added)
        if known is None:
            self._urgent.set()
            return
        known.score = known.score * _KEPT + added
        if known.circuit != _CLOSED:
            known.circuit, known.probing = circuits.after_success(), False
            self._urgent.set()

    def failed(self, project_id: str, endpoint: str) -> None:
        """Count a failure that is the endpoint's own."""
        key = project_id, endpoint
        tally, known = self._unreported[key], self._known.get(key)
        tally.failures += 1
        tally.move_score(0.0)
        self._urgent.set()
        # Without a copy none is made up: the circuit may be open for all we know.
        if known is not None:
            known.score = health.after_failure(known.score)
            known.circuit, known.probing = circuits.after_failure(known.circuit, now=_now()), False

    def undecided(self, project_id: str, endpoint: str) -> None:
        """Learn that a run told nothing about the endpoint; if it was the probe, it was in vain."""
        key = project_id, endpoint
        known = self._known.get(key)
        if known is not None and known.probing:
            known.circuit, known.probing = replace(known.circuit, probe_until=_now()), False
            self._unreported.setdefault(key, _Tally())
            self._urgent.set()

    def changed(self, payload: str = "") -> None:
        """Another worker saw a circuit change, or we may have missed that: read it again."""
        self._changes += 1
        self._readings.forget()
        # A project's id may contain spaces, the URL of an endpoint has none.
        project_id, _, endpoint = payload.rpartition(" ")
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
        """Add what happened since the last report to the database.

        While the database is away it is kept: circuits survive an outage.
        """
        if not self._unreported:
            return
        unreported, self._unreported = [*self._unreported.items()], defaultdict(_Tally)
        for at in range(0, len(unreported), _AT_ONCE):
            batch = unreported[at : at + _AT_ONCE]
            try:
                await self._write([_report(key, tally) for key, tally in batch])
            except Exception as error:  # noqa: BLE001 - a lost report must not stop dispatching
                if is_outage(error):
                    for key, tally in unreported[at:]:
                        self._unreported[key] = tally.before(self._unreported[key])
                    return
                _log.exception("endpoint report lost", endpoints=len(batch))

    async def _write(self, reports: Sequence[EndpointReport]) -> None:
        async with self._line.connection() as db:
            await store.report(
                db,
                reports,
                threshold=circuits.FAILURES_TO_OPEN,
                open_seconds=circuits.OPEN_FOR.total_seconds(),
            )

    async def _load(self, key: _Key) -> _Known:
        changes = self._changes
        try:
            async with self._database.connection() as db:
                row = await store.circuit(db, *key)
        except Unavailable:
            row = None  # without the database nothing is claimed; this run goes on
        known = _Known()
        if row is not None:
            known.score = row.health_score
            known.circuit = Circuit(
                state=row.state,
                failures=row.failures,
                open_until=_in(row.opens_in),
                probe_until=_in(row.probe_ends_in),
            )
        if changes != self._changes:
            return known  # it may have been read before the change: good for these runs only
        if len(self._known) >= _CAPACITY:
            self._known.clear()
        return self._known.setdefault(key, known)

    async def _admit_ailing(
        self, key: _Key, known: _Known, probe_seconds: float
    ) -> Allow | Probe | Later:
        now = _now()
        probed = known.circuit.state is CircuitState.HALF_OPEN
        match circuits.admit(known.circuit, now=now, probe_for=timedelta(seconds=probe_seconds)):
            case Wait(until):
                return Later((until - now).total_seconds(), "endpoint circuit is open", probed)
            case Probe():
                return await self._probe(key, known, probe_seconds)
            case Allow():
                return _admit_unhealthy(known, now)

    async def _probe(self, key: _Key, known: _Known, seconds: float) -> Probe | Later:
        """Be the one who probes, or come back when it is clear who does."""
        probe_for = timedelta(seconds=seconds)
        try:
            async with self._line.connection() as db:
                # While we waited for the line, another run of ours may have become the probe.
                gate = circuits.admit(known.circuit, now=_now(), probe_for=probe_for)
                if isinstance(gate, Probe):
                    if await store.probe(db, *key, seconds=seconds):
                        known.circuit = circuits.probing(known.circuit, until=gate.until)
                        known.probing = True
                        return gate
                    self._known.pop(key, None)
        except Exception as error:
            if not is_outage(error):
                raise
        return Later(_SOON, "endpoint circuit is open", probed=True)


def _admit_unhealthy(known: _Known, now: datetime) -> Allow | Later:
    """Let one run through each minute: who never hears of a success stays unhealthy."""
    match health.admit(known.score, probe_until=known.probe_until, now=now):
        case Wait(until):
            return Later((until - now).total_seconds(), "endpoint is unhealthy")
        case Probe(until):
            known.probe_until = until
            return Allow()
        case Allow():
            return Allow()


def _report(key: _Key, tally: _Tally) -> EndpointReport:
    project_id, endpoint = key
    return EndpointReport(
        project_id=project_id,
        endpoint=endpoint,
        recovered=tally.recovered,
        failures=tally.failures,
        score_kept=tally.score_kept,
        score_added=tally.score_added,
    )


def _now() -> datetime:
    return _EPOCH + timedelta(seconds=monotonic())


def _in(seconds: float | None) -> datetime | None:
    return None if seconds is None else _now() + timedelta(seconds=seconds)
