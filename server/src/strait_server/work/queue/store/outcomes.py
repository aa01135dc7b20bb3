"""What workers report, in batches."""

from collections.abc import Sequence
from typing import Final, TypeVar
from uuid import UUID

from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.queue.model import ORDINALS, Finished, Returned, Started, Status

SQL: Final = load_queries(__name__)
T = TypeVar("T")
_STATUSES: Final = tuple(ORDINALS)
_COMPLETED: Final = ORDINALS[Status.COMPLETED]


class Surprise(Struct, frozen=True):
    """What the worker did not know: the report came too late, or the run holds places."""

    id: UUID
    late: bool


async def start(db: Connection, starts: Sequence[Started]) -> int:
    return await db.execute(
        SQL["start"],
        ids=[run.id for run in starts],
        attempts=[run.attempt for run in starts],
        lease_ids=[run.lease_id for run in starts],
        ages_micros=[run.age_micros for run in starts],
    )


async def finish(
    db: Connection, outcomes: Sequence[Finished], *, ended_lease_ids: Sequence[int]
) -> list[Surprise]:
    return await db.rows(
        Surprise,
        SQL["finish"],
        ids=[run.id for run in outcomes],
        attempts=_or_nothing([run.attempt for run in outcomes], usual=1),
        lease_ids=[run.lease_id for run in outcomes],
        ordinals=_or_nothing([ORDINALS[run.status] for run in outcomes], usual=_COMPLETED),
        completed=_COMPLETED,
        statuses=_STATUSES,
        ages_micros=[run.age_micros for run in outcomes],
        results=_or_nothing([run.result for run in outcomes], usual=None),
        errors=_or_nothing([run.error for run in outcomes], usual=None),
        error_classes=_or_nothing([run.error_class for run in outcomes], usual=None),
        traces=[run.trace for run in outcomes],
        gated=_or_nothing([run.gated for run in outcomes], usual=False),
        ended_lease_ids=ended_lease_ids,
    )


async def requeue(
    db: Connection,
    returns: Sequence[Returned],
    *,
    ended_lease_ids: Sequence[int],
    priority_worth: int,
) -> list[Surprise]:
    return await db.rows(
        Surprise,
        SQL["requeue"],
        ids=[run.id for run in returns],
        attempts=[run.attempt for run in returns],
        lease_ids=[run.lease_id for run in returns],
        steps=[run.step for run in returns],
        ages_micros=[run.age_micros for run in returns],
        delays=[run.delay for run in returns],
        reasons=[run.reason for run in returns],
        errors=[run.error for run in returns],
        error_classes=[run.error_class for run in returns],
        priority_boosts=[run.priority_boost for run in returns],
        metadata=[run.metadata for run in returns],
        gates=[run.gate for run in returns],
        next_gates=[run.next_gate for run in returns],
        metered=[run.metered for run in returns],
        gated=[run.gated for run in returns],
        ended_lease_ids=ended_lease_ids,
        priority_worth=priority_worth,
    )


def _or_nothing(values: list[T], *, usual: T) -> list[T]:
    """Leave out a column of nothing but the usual: its encoding costs more than all else here."""
    return values if values.count(usual) < len(values) else []
