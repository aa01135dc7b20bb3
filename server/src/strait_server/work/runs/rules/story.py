"""The story of a run: its moves and what was told of it, in the order of time.

Moves are not stored as events. The run row keeps them as numbers (`runs.moves`),
and here they become events again, always the same ones: an event's id follows
from the run and from which of its moves it is.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

import msgspec

from strait_server.work.queue.model import RunEvent, Status

STATE_CHANGE: Final = "state_change"
LEVEL: Final = "info"

_LEVELS: Final = {"error": ("error", "critical")}
_STATUSES: Final = tuple(Status)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def of_moves(run_id: UUID, moves: Sequence[int]) -> list[RunEvent]:
    """Tell a run's moves as events, the first as its creation.

    Moves that are written down together share a time, and those of two
    processes may be a little out of order. Their order is certain, so each
    happens at least a microsecond after the one before.
    """
    events: list[RunEvent] = []
    before: Status | None = None
    last = 0
    for index, move in enumerate(moves):
        micros, ordinal = divmod(move, 16)
        last = max(micros, last + 1)
        status = _STATUSES[ordinal]
        events.append(
            RunEvent(
                id=uuid5(run_id, f"move {index}"),
                run_id=run_id,
                type=STATE_CHANGE,
                level=LEVEL,
                message=f"{before} -> {status}" if before else f"created as {status}",
                data=msgspec.Raw(msgspec.json.encode({"from": before, "to": status})),
                created_at=_EPOCH + timedelta(microseconds=last),
            )
        )
        before = status
    return events


def levels_like(level: str | None) -> Sequence[str] | None:
    """List the levels that a filter means: `critical` counts as an error."""
    return _LEVELS.get(level, (level,)) if level else None


def has_moves(event_type: str | None, level: str | None) -> bool:
    """Whether moves are among the events that a filter means."""
    return (event_type or STATE_CHANGE) == STATE_CHANGE and (level or LEVEL) == LEVEL


def place(event: RunEvent) -> tuple[datetime, UUID]:
    """Say where in the story an event stands."""
    return event.created_at, event.id
