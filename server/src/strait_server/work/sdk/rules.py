"""What a report means, and what is said when it cannot be taken."""

from typing import Final

import msgspec

from strait_server.base.canonical import PayloadError, canonical
from strait_server.base.errors import Invalid, NotFound, StraitError
from strait_server.work.queue.model import FINAL, Standing, Status
from strait_server.work.sdk.model import MAX_DATA, MAX_ERROR, Ended, NotUnderWay, Progress, Stale

STATE_CHANGE: Final = "state_change"
_OPEN: Final = frozenset({Status.DEQUEUED, Status.EXECUTING, Status.WAITING})
_NOTHING: Final = frozenset({b"", b"null"})


def is_open(standing: Standing | None, attempt: int | None) -> bool:
    """Whether reports for this attempt are taken. No attempt means the current one."""
    return standing is not None and standing.status in _OPEN and attempt in {None, standing.attempt}


def refusal(standing: Standing | None, attempt: int | None, *, otherwise: str) -> StraitError:
    """Say why a report was not taken (behaviour 5.1, T107). `otherwise`: it is not executing."""
    if standing is None:
        return NotFound("run not found")
    if attempt not in {None, standing.attempt}:
        return Stale(standing.attempt)
    if standing.status in FINAL:
        return Ended(standing.status)
    return NotUnderWay(otherwise, standing.status)


def stored_result(raw: bytes) -> bytes | None:
    """Read a result as it is stored: null and nothing are none."""
    return None if raw in _NOTHING else raw


def is_same_result(one: bytes | None, other: bytes | None) -> bool:
    """Whether two results are the same JSON value."""
    if one is None or other is None:
        return one is other
    try:
        return canonical(one) == canonical(other)
    except PayloadError:
        return one == other


def cut(error: str) -> str:
    """Shorten an error to what is kept of it, between two characters."""
    return error.encode()[:MAX_ERROR].decode(errors="ignore")


def check_type(event_type: str) -> None:
    """Raise `Invalid` for events that only we tell."""
    if event_type == STATE_CHANGE:
        raise Invalid("type: state_change is reserved")


def event_data(raw: bytes) -> bytes | None:
    """Read the data of an event, or raise `Invalid` when it is too much."""
    if len(raw) > MAX_DATA:
        raise Invalid(f"data: must be at most {MAX_DATA} bytes")
    return None if raw in _NOTHING else raw


def progress_data(progress: Progress) -> bytes:
    """Tell progress as the data of an event; whole numbers stay whole."""
    told = {"percent": progress.percent, "step": progress.step, "eta_seconds": progress.eta_seconds}
    return msgspec.json.encode(
        {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in told.items()
            if value is not None
        }
    )
