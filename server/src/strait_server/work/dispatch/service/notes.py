"""What a run's metadata says to us, among what it says to its user."""

from typing import Final

import msgspec
from msgspec import Struct

from strait_server.work.queue.model import ClaimedRun


class Notes(Struct, frozen=True):
    """Where the run comes from, how it failed lately, and how often it was put off."""

    trace_parent: str = msgspec.field(default="", name="_trace_parent")
    trace_state: str = msgspec.field(default="", name="_trace_state")
    error_hash: str = msgspec.field(default="", name="_error_hash")
    error_hash_count: str = msgspec.field(default="0", name="_error_hash_count")
    snooze_count: int = 0


_NONE: Final = Notes()
_read: Final = msgspec.json.Decoder(Notes, strict=False).decode


def notes_of(run: ClaimedRun) -> Notes:
    if run.metadata is None:
        return _NONE
    try:
        return _read(run.metadata)
    except msgspec.ValidationError:  # a user's own key of one of these names
        return _NONE
