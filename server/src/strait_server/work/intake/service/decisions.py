"""What must be exact: decided in the transaction that inserts, under locks.

Each function looks at every ticket that is still open and refuses those that
may not pass. A ticket is admitted whole or not at all: the runs of a bulk
trigger share one.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from strait_server.base.db.connection import Connection
from strait_server.base.errors import LimitReached, StraitError
from strait_server.work.intake import store
from strait_server.work.intake.model import Draft, RateScope, Reserved
from strait_server.work.intake.rules.schedule import check_schedule, opening
from strait_server.work.jobs.service.definitions import Definition
from strait_server.work.queue.model import NewRun, Status


class Ticket:
    """Drafts of one request on their way through the decisions."""

    def __init__(self, definition: Definition, drafts: Sequence[Draft]) -> None:
        self.definition = definition
        self.drafts = drafts
        self.runs: list[NewRun] = [draft.run for draft in drafts]
        self.hits: dict[UUID, tuple[UUID, Status]] = {}
        self.refusal: StraitError | None = None
        self.postponed = False
        self.created_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.refusal is None and not self.postponed

    @property
    def new_runs(self) -> list[NewRun]:
        """The runs to be made: those that no earlier run stands for."""
        return [run for run in self.runs if run.id not in self.hits]

    def hit(self, run: NewRun, run_id: UUID, status: Status) -> None:
        self.hits[run.id] = (run_id, status)


def _open(tickets: Iterable[Ticket]) -> list[Ticket]:
    return [ticket for ticket in tickets if ticket.open]


def schedule(tickets: Sequence[Ticket], *, now: datetime) -> None:
    """Refuse moments that have passed or are too far (behaviour 2.8 #8)."""
    for ticket in _open(tickets):
        try:
            for run in ticket.runs:
                if run.scheduled_at is not None:
                    check_schedule(run.scheduled_at, now=now)
        except StraitError as refusal:
            ticket.refusal = refusal


async def reserve_keys(db: Connection, tickets: Sequence[Ticket]) -> None:
    """Make one run per idempotency key; for the others, name the run that has it (T5).

    A ticket whose key another ticket of this flush has just taken is postponed:
    only when that one is committed, it is known what the key stands for.
    """
    claimed: dict[tuple[UUID, str], tuple[Ticket, NewRun]] = {}
    for ticket in _open(tickets):
        for run in ticket.runs:
            if run.idempotency_key is None:
                continue
            first = claimed.setdefault((run.job_id, run.idempotency_key), (ticket, run))
            if first[1] is run:
                continue
            if first[0] is ticket:
                ticket.hit(run, first[1].id, _first_status(first[1]))
            else:
                ticket.postponed = True
    wanted = [(t, run) for t, run in claimed.values() if not t.postponed]
    if not wanted:
        return
    taken = await store.reserve(db, [run for _, run in wanted])
    contested = [(t, run) for t, run in wanted if run.id not in taken]
    if contested:
        await _settle_contested(db, contested)


async def _settle_contested(db: Connection, contested: Sequence[tuple[Ticket, NewRun]]) -> None:
    holders = await store.holders(db, [run for _, run in contested])
    by_key: dict[tuple[UUID, str | None], Reserved] = {(h.job_id, h.key): h for h in holders}
    stale: list[tuple[NewRun, UUID]] = []
    for ticket, run in contested:
        holder = by_key.get((run.job_id, run.idempotency_key))
        if holder is None or (holder.status is None and not holder.stale):
            ticket.postponed = True  # freed between two statements: ask again
        elif holder.stale:
            stale.append((run, holder.run_id))
        else:
            ticket.hit(run, holder.run_id, holder.status or Status.QUEUED)
    if stale:
        await store.take_over(db, [run for run, _ in stale], [old for _, old in stale])


async def let_go_of_keys(db: Connection, tickets: Sequence[Ticket]) -> None:
    """Free the keys that refused or postponed tickets had taken."""
    runs = [run for t in tickets if not t.open for run in t.new_runs if run.idempotency_key]
    if runs:
        await store.let_go(db, runs)


async def keep_quotas(db: Connection, tickets: Sequence[Ticket]) -> None:
    """Refuse what would pass a project's quotas (behaviour 2.8 #11)."""
    metered = [t for t in _open(tickets) if t.definition.job.metered and t.new_runs]
    if not metered:
        return
    project_ids = sorted({t.definition.job.project_id for t in metered})
    rooms = {room.project_id: room for room in await store.room(db, project_ids)}
    queued = Counter({project_id: room.queued for project_id, room in rooms.items()})
    for ticket in metered:
        room = rooms.get(ticket.definition.job.project_id)
        if room is None:
            continue
        wanted = len(ticket.new_runs)
        if room.max_queued and queued[room.project_id] + wanted > room.max_queued:
            ticket.refusal = LimitReached("project queued quota exceeded", retry_after=5)
        elif room.max_executing and room.executing >= room.max_executing:
            ticket.refusal = LimitReached("project executing quota exceeded", retry_after=5)
        else:
            queued[room.project_id] += wanted


async def keep_rates(db: Connection, tickets: Sequence[Ticket]) -> None:
    """Refuse what would pass a rate limit, and count what does not (behaviour 2.10)."""
    limited = [(t, needs) for t in _open(tickets) if (needs := _needs(t))]
    if not limited:
        return
    scopes = {scope.scope: scope for _, needs in limited for scope in needs}
    used = {a.scope: a for a in await store.admitted(db, list(scopes.values()))}
    admitted: Counter[str] = Counter()
    for ticket, needs in limited:
        full = [
            scope
            for scope, wanted in needs.items()
            if used[scope.scope].count + admitted[scope.scope] + wanted > scope.limit
        ]
        if full:
            wait = max(used[scope.scope].frees_in for scope in full)
            ticket.refusal = LimitReached(
                full[0].refusal, retry_after=max(wait, 1.0) if wait else full[0].window_seconds
            )
            continue
        for scope, wanted in needs.items():
            admitted[scope.scope] += wanted
    counted = [(scopes[name], count) for name, count in sorted(admitted.items()) if count]
    if counted:
        await store.admit(db, counted)


def _needs(ticket: Ticket) -> Counter[RateScope]:
    return Counter(
        scope for draft in ticket.drafts if draft.run.id not in ticket.hits for scope in draft.rates
    )


def wait_for_window(tickets: Sequence[Ticket], *, now: datetime) -> None:
    """Delay runs whose execution window is closed until it opens (behaviour 2.11)."""
    for ticket in _open(tickets):
        window = ticket.definition.window
        if window is None:
            continue
        zone = ticket.definition.zone
        ticket.runs = [
            msgspec.structs.replace(
                run, scheduled_at=opening(run.scheduled_at, window, zone, now=now)
            )
            for run in ticket.runs
        ]


def _first_status(run: NewRun) -> Status:
    return Status.DELAYED if run.scheduled_at else Status.QUEUED
