"""What must be exact: decided in the transaction that inserts, under locks.

Each function looks at every ticket that may still pass and refuses those that
may not. A ticket is admitted whole or not at all: the runs of a bulk trigger
share one.

Of the runs that come with the same key in one flush the first leads and the
others are its twins: they answer what became of it. If its ticket is refused,
theirs are postponed and decided anew.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from strait_server.base.db.connection import Connection
from strait_server.base.errors import Invalid, LimitReached, StraitError
from strait_server.work.intake import store
from strait_server.work.intake.model import Draft, RateScope, Reserved
from strait_server.work.intake.rules.schedule import check_schedule, opening
from strait_server.work.intake.service.admission import of_item
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue.model import NewRun, Status

_QUOTA_RETRY_SECONDS: Final = 5.0


class Ticket(NamedTuple):
    """What one request asks for."""

    definition: Definition
    drafts: Sequence[Draft]


class Earlier(NamedTuple):
    """The run that an idempotency key stands for already."""

    run_id: UUID
    status: Status


class Passage:
    """A ticket on its way through the decisions; to try it again is another passage."""

    def __init__(self, ticket: Ticket) -> None:
        self.definition: Final = ticket.definition
        self.drafts: Final = ticket.drafts
        self.runs: Final = {draft.run.id: draft.run for draft in ticket.drafts}
        self.hits: Final[dict[UUID, Earlier]] = {}
        self.twins: Final[dict[UUID, tuple[Passage, UUID]]] = {}
        self.refusal: StraitError | None = None
        self.postponed = False
        self.created_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.refusal is None and not self.postponed

    @property
    def new_runs(self) -> list[NewRun]:
        """The runs to be made: those that no other run stands for."""
        return [
            run
            for run_id, run in self.runs.items()
            if run_id not in self.hits and run_id not in self.twins
        ]

    def earlier(self, run_id: UUID) -> Earlier | None:
        """Tell which run stands for the key of this one. None: this one is made."""
        twin = self.twins.get(run_id)
        if twin is None:
            return self.hits.get(run_id)
        leader, first = twin
        return leader.hits.get(first) or Earlier(first, leader.status_of(first))

    def status_of(self, run_id: UUID) -> Status:
        """Tell in which status a run was made."""
        scheduled_at = self.runs[run_id].scheduled_at
        later = scheduled_at and self.created_at and scheduled_at > self.created_at
        return Status.DELAYED if later else Status.QUEUED


def _open(passages: Iterable[Passage]) -> Iterator[Passage]:
    """Go through those that may still pass. Whoever follows one that may not is postponed."""
    for passage in passages:
        if passage.open and any(not leader.open for leader, _ in passage.twins.values()):
            passage.postponed = True
        if passage.open:
            yield passage


def check_schedules(passages: Sequence[Passage], *, now: datetime) -> None:
    """Refuse moments that have passed or are too far (behaviour 2.8 #8)."""
    for passage in _open(passages):
        for index, run in enumerate(passage.runs.values()):
            if run.scheduled_at is None:
                continue
            try:
                check_schedule(run.scheduled_at, now=now)
            except Invalid as refusal:
                passage.refusal = of_item(refusal, index) if run.batch_id else refusal
                break


async def reserve_keys(db: Connection, passages: Sequence[Passage]) -> None:
    """Make one run per idempotency key; for the others, name the run that has it (T5)."""
    firsts: dict[tuple[UUID, str], tuple[Passage, NewRun]] = {}
    for passage in _open(passages):
        for run in passage.runs.values():
            if run.idempotency_key is None:
                continue
            key = run.job_id, run.idempotency_key
            leader, first = firsts.setdefault(key, (passage, run))
            if first is not run:
                passage.twins[run.id] = leader, first.id
    if not firsts:
        return
    taken = await store.reserve(db, [run for _, run in firsts.values()])
    contested = [(passage, run) for passage, run in firsts.values() if run.id not in taken]
    if contested:
        await _settle_contested(db, contested)


async def _settle_contested(db: Connection, contested: Sequence[tuple[Passage, NewRun]]) -> None:
    holders = await store.holders(db, [run for _, run in contested])
    by_key: dict[tuple[UUID, str | None], Reserved] = {(h.job_id, h.key): h for h in holders}
    stale: list[tuple[NewRun, UUID]] = []
    for passage, run in contested:
        holder = by_key.get((run.job_id, run.idempotency_key))
        if holder is None:
            passage.postponed = True  # freed between two statements: ask again
        elif holder.status is None or holder.stale:
            stale.append((run, holder.run_id))
        else:
            passage.hits[run.id] = Earlier(holder.run_id, holder.status)
    if stale:
        await store.take_over(db, [run for run, _ in stale], [old for _, old in stale])


async def keep_quotas(db: Connection, passages: Sequence[Passage]) -> None:
    """Refuse what would pass a project's quotas (behaviour 2.8 #11)."""
    metered = [p for p in _open(passages) if p.definition.job.metered and p.new_runs]
    if not metered:
        return
    project_ids = sorted({p.definition.job.project_id for p in metered})
    rooms = {room.project_id: room for room in await store.room(db, project_ids)}
    queued = Counter({project_id: room.queued for project_id, room in rooms.items()})
    for passage in _open(metered):
        room = rooms.get(passage.definition.job.project_id)
        if room is None:
            continue
        wanted = len(passage.new_runs)
        if room.max_queued and queued[room.project_id] + wanted > room.max_queued:
            passage.refusal = _over_quota("queued")
        elif room.max_executing and room.executing >= room.max_executing:
            passage.refusal = _over_quota("executing")
        else:
            queued[room.project_id] += wanted


def _over_quota(name: str) -> LimitReached:
    return LimitReached(f"project {name} quota exceeded", retry_after=_QUOTA_RETRY_SECONDS)


async def keep_rates(db: Connection, passages: Sequence[Passage]) -> None:
    """Refuse what would pass a rate limit, and count what does not (behaviour 2.10)."""
    limited = {passage: needs for passage in _open(passages) if (needs := _needs(passage))}
    if not limited:
        return
    scopes = {scope.scope: scope for needs in limited.values() for scope in needs}
    used = {a.scope: a for a in await store.admitted(db, list(scopes.values()))}
    admitted: Counter[str] = Counter()
    for passage in _open(limited):
        needs = limited[passage]
        full = [
            scope
            for scope, wanted in needs.items()
            if used[scope.scope].count + admitted[scope.scope] + wanted > scope.limit
        ]
        if full:
            wait = max(used[scope.scope].frees_in or scope.window_seconds for scope in full)
            passage.refusal = LimitReached(full[0].refusal, retry_after=wait)
            continue
        for scope, wanted in needs.items():
            admitted[scope.scope] += wanted
    counted = [(scopes[name], count) for name, count in sorted(admitted.items())]
    if counted:
        await store.admit(db, counted)


def _needs(passage: Passage) -> Counter[RateScope]:
    if not any(draft.rates for draft in passage.drafts):
        return Counter()
    made = {run.id for run in passage.new_runs}
    return Counter(
        scope for draft in passage.drafts if draft.run.id in made for scope in draft.rates
    )


def wait_for_window(passages: Sequence[Passage], *, now: datetime) -> None:
    """Delay runs whose execution window is closed until it opens (behaviour 2.11)."""
    for passage in _open(passages):
        window = passage.definition.window
        if window is None:
            continue
        zone = passage.definition.zone
        for run_id, run in passage.runs.items():
            starts_at = opening(run.scheduled_at, window, zone, now=now)
            passage.runs[run_id] = msgspec.structs.replace(run, scheduled_at=starts_at)


async def let_go_of_keys(db: Connection, passages: Sequence[Passage]) -> None:
    """Free the keys that refused or postponed tickets had taken."""
    runs = [run for p in passages if not p.open for run in p.new_runs if run.idempotency_key]
    if runs:
        await store.let_go(db, runs)
