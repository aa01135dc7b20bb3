"""The run state machine: the whole of it is the table below (behaviour 1.2).

Every statement that changes a status says itself from which ones it may, so
that check and write are one. What they wrote is held against this table: by
the auditor of the tests, move by move, over `runs.moves`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

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
