"""The run state machine: the whole of it is the table below (behaviour 1.2)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from strait_server.base.errors import Conflict
from strait_server.work.queue.model import Status

_WAYS_OUT = {
    "delayed": "queued canceled expired",
    # To `delayed` only when the user reschedules it (behaviour 2.16).
    "queued": "dequeued delayed canceled expired",
    "dequeued": "executing queued canceled system_failed",
    "executing": (
        "waiting queued completed failed timed_out crashed system_failed"
        " canceled dead_letter paused"
    ),
    "waiting": "executing queued completed failed timed_out canceled",
    "dead_letter": "queued replay_staged",
    "replay_staged": "queued canceled",
    "paused": "queued canceled",
    "completed": "",
    "failed": "",
    "timed_out": "",
    "crashed": "",
    "system_failed": "",
    "canceled": "",
    "expired": "",
}

MOVES: Final[Mapping[Status, frozenset[Status]]] = MappingProxyType(
    {Status(here): frozenset(map(Status, out.split())) for here, out in _WAYS_OUT.items()}
)


class IllegalMove(Conflict):
    """A run cannot go from one status to the other."""

    code = "illegal_transition"

    def __init__(self, source: Status, target: Status) -> None:
        super().__init__(f"a run cannot go from {source} to {target}")
        self.source = source
        self.target = target


class UnknownStatus(Conflict):
    """A run stands in a status this version has no row for, as after a downgrade."""

    code = "unknown_status"

    def __init__(self, source: str) -> None:
        super().__init__(f"unknown status {source!r}")
        self.source = source


def check_move(source: str, target: Status) -> None:
    """Raise `IllegalMove` unless the table has this move.

    The source is what the row says; `UnknownStatus` if the table lacks it.
    """
    if source not in MOVES:
        raise UnknownStatus(source)
    here = Status(source)
    if target not in MOVES[here]:
        raise IllegalMove(here, target)
