"""Looks over a database during or after the worst, and says what must not be.

The rules about tables are in `auditor.sql`. What an endpoint heard and what
callers were promised is held against the tables here.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import UUID

import asyncpg

from strait_server.work.queue.model import FINAL, ORDINALS, TERMINAL, Status
from strait_server.work.queue.rules.fsm import MOVES

_SHOWN = 5
_RULE = re.compile(r"^-- (places|always|rest): (.+)$", re.MULTILINE)
_SUCCESS = range(200, 300)
_TOLERANCE = 0.5  # seconds that the endpoint's loop may be late to hear a call
_TABLES = """
    create temp table if not exists statuses (
        ordinal integer, name text, final boolean, terminal boolean);
    create temp table if not exists ways (source text, target text);
    truncate statuses, ways;
"""


class Violation(NamedTuple):
    """A sentence that should be true, and what it is not true for."""

    rule: str
    what: str


class Call(Protocol):
    """A request that an endpoint heard, on the monotonic and the wall clock, and its answer."""

    run_id: UUID
    attempt: int
    at: float
    wall: float
    status: int | None


class Rule(NamedTuple):
    """What must be true; `sql` finds what is not."""

    kind: str
    sentence: str
    sql: str


def _rules() -> Iterator[Rule]:
    _, *parts = _RULE.split(Path(__file__).with_suffix(".sql").read_text())
    for kind, sentence, sql in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        yield Rule(kind, sentence, sql)


RULES = tuple(_rules())


async def look(raw: asyncpg.Connection, *kinds: str) -> list[Violation]:
    """Hold the rules of these kinds against one snapshot."""
    await _tell_the_state_machine(raw)
    found: list[Violation] = []
    inside = raw.is_in_transaction()
    async with raw.transaction(isolation=None if inside else "repeatable_read"):
        for rule in RULES:
            if rule.kind in kinds:
                rows = await raw.fetch(rule.sql)
                found += [Violation(rule.sentence, row[0]) for row in rows[:_SHOWN]]
                if len(rows) > _SHOWN:
                    found.append(Violation(rule.sentence, f"and {len(rows) - _SHOWN} more"))
    return found


async def audit(
    raw: asyncpg.Connection,
    *,
    promised: Collection[UUID] = (),
    calls: Sequence[Call] = (),
    faults: Sequence[float] = (),
) -> list[Violation]:
    """Look over everything when all is at rest.

    `promised` are the runs that a caller was told of as new; `faults` are the
    instants (monotonic) at which something was killed: they alone excuse that
    an attempt was sent twice.
    """
    found = await look(raw, "places", "always", "rest")
    found += await _kept_promises(raw, promised)
    rows = await raw.fetch(
        "select id, status, attempt, extract(epoch from finished_at)::float8 as ended from runs"
    )
    if calls:
        found += _heard_well(calls, {row["id"]: row for row in rows}, faults)
    return found


async def _tell_the_state_machine(raw: asyncpg.Connection) -> None:
    await raw.execute(_TABLES)
    await raw.executemany(
        "insert into statuses values ($1, $2, $3, $4)",
        [(ORDINALS[each], each, each in FINAL, each in TERMINAL) for each in Status],
    )
    await raw.executemany(
        "insert into ways values ($1, $2)",
        [(source, target) for source, targets in MOVES.items() for target in targets],
    )


async def _kept_promises(raw: asyncpg.Connection, promised: Collection[UUID]) -> list[Violation]:
    lost = await raw.fetch(
        "select id from unnest($1::uuid[]) as promised (id) where id not in (select id from runs)",
        list(promised),
    )
    return [Violation("a run that was promised is there", str(row["id"])) for row in lost] + [
        Violation("a run is made for one trigger", f"{run_id}: promised {count} times")
        for run_id, count in Counter(promised).items()
        if count > 1
    ]


def _heard_well(
    calls: Sequence[Call], runs: Mapping[UUID, asyncpg.Record], faults: Sequence[float]
) -> Iterator[Violation]:
    calls_by_run: defaultdict[UUID, list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.at):
        calls_by_run[call.run_id].append(call)
    for run_id, heard in calls_by_run.items():
        if run_id in runs:
            yield from _of_one_run(heard, runs[run_id], faults)
        else:
            yield Violation("only runs that exist are sent", str(run_id))
    for run_id, run in runs.items():
        if run["status"] == Status.COMPLETED and not any(
            call.attempt == run["attempt"] and call.status in _SUCCESS
            for call in calls_by_run.get(run_id, ())
        ):
            yield Violation("a completed run was answered with success", str(run_id))


def _of_one_run(
    heard: Sequence[Call], run: asyncpg.Record, faults: Sequence[float]
) -> Iterator[Violation]:
    for earlier, later in pairwise(heard):
        step = f"{later.run_id}: attempt {earlier.attempt}, then {later.attempt}"
        if later.attempt < earlier.attempt:
            yield Violation("attempts are sent in their order", step)
        excused = any(earlier.at - _TOLERANCE <= fault <= later.at for fault in faults)
        if later.attempt == earlier.attempt and not excused:
            yield Violation("an attempt is sent once, unless somebody was killed", step)
    for call in heard:
        told = f"{call.run_id}: attempt {call.attempt}, is {run['status']} at {run['attempt']}"
        if call.attempt > run["attempt"]:
            yield Violation("no attempt is sent before the run has reached it", told)
        if run["ended"] is not None and call.wall > run["ended"] + _TOLERANCE:
            yield Violation("no run is sent after its end", told)
