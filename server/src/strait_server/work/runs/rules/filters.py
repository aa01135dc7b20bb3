"""What the parameters of a list mean (api 9.9). Filters intersect, or are refused (T27q)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from strait_server.base.canonical import PayloadError, canonical
from strait_server.base.errors import Invalid
from strait_server.base.ids import as_id
from strait_server.work.queue.model import ErrorClass, Status, TriggeredBy
from strait_server.work.runs.model import AskedRuns, RunFilter

E = TypeVar("E", bound=StrEnum)

_HTTP: Final = "http"
_EXECUTION_MODES: Final = frozenset({_HTTP, "managed", "worker"})


def read_filter(asked: AskedRuns) -> RunFilter:
    """Read the parameters of a list, or raise `Invalid` for the first that makes no sense."""
    _check_pairs(asked)
    mode = asked.execution_mode or _HTTP
    if mode not in _EXECUTION_MODES:
        raise Invalid("execution_mode is invalid")
    return RunFilter(
        statuses=_statuses(asked),
        job=asked.job_id or None,
        batch_id=_uuid(asked.batch_id, "batch_id"),
        triggered_by=_one_of(TriggeredBy, asked.triggered_by, "triggered_by"),
        error_class=_one_of(ErrorClass, asked.error_class, "error_class"),
        tag_key=asked.tag_key or None,
        tag_value=asked.tag_value,
        metadata_key=asked.metadata_key or None,
        metadata_value=asked.metadata_value,
        payload_contains=_json(asked.payload_contains),
        created_after=_time(asked.created_after, "created_after"),
        created_before=_time(asked.created_before, "created_before"),
        http=mode == _HTTP,
        of_workflow=_uuid(asked.workflow_run_id, "workflow_run_id") is not None,
    )


def _check_pairs(asked: AskedRuns) -> None:
    if asked.tag_value is not None and not asked.tag_key:
        raise Invalid("tag_value requires tag_key")
    if asked.metadata_value is not None and not asked.metadata_key:
        raise Invalid("metadata_value requires metadata_key")
    if asked.tag_key and asked.metadata_key:
        raise Invalid("tag_key and metadata_key cannot be combined")


def _statuses(asked: AskedRuns) -> frozenset[Status] | None:
    """Read both spellings of a status filter; given together they intersect."""
    several = _known(part for text in asked.statuses for part in text.split(","))
    one = _known([asked.status or ""])
    if one and several:
        return one & several
    return one or several or None


def _known(names: Iterable[str]) -> frozenset[Status]:
    found = (_one_of(Status, name.strip(), "status") for name in names)
    return frozenset(status for status in found if status is not None)


def _one_of(kind: type[E], text: str | None, name: str) -> E | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError as error:
        raise Invalid(f"{name} is invalid") from error


def _uuid(text: str | None, name: str) -> UUID | None:
    if not text:
        return None
    read = as_id(text)
    if read is None:
        raise Invalid(f"{name} is invalid")
    return read


def _json(text: str | None) -> bytes | None:
    if not text:
        return None
    try:
        return canonical(text.encode())
    except (PayloadError, UnicodeEncodeError) as error:
        raise Invalid("payload_contains must be a JSON document") from error


def _time(text: str | None, name: str) -> datetime | None:
    if not text:
        return None
    try:
        # The `+` of an offset arrives as a space when the client did not quote it.
        at = msgspec.convert(text.replace(" ", "+"), datetime)
        if at.tzinfo is None:
            raise Invalid(f"{name} must have a time zone")
        return at.astimezone(UTC)  # a time at the edge of the calendar may have none there
    except (msgspec.ValidationError, OverflowError) as error:
        raise Invalid(f"{name} must be an RFC 3339 time") from error
