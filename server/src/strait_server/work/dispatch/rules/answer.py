"""What an endpoint's answer means: a result, or a failure (behaviour 3.3)."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

import msgspec

from strait_server.base.canonical import strip_nul
from strait_server.work.dispatch.model import Answer, Cause, Completed, Failure, Trouble
from strait_server.work.dispatch.rules import classify, error_text
from strait_server.work.dispatch.rules.retry import retry_after_seconds
from strait_server.work.queue.model import ErrorClass

DEADLINE_PASSED: Final = Failure(
    error="execution timed out", error_class=ErrorClass.TIMEOUT, cause=Cause.DEADLINE
)
HEARTBEAT_LOST: Final = Failure(
    error="heartbeat lost", error_class=ErrorClass.TRANSIENT, cause=Cause.LOST
)

_SUCCESS: Final = range(200, 300)
_ASKS_FOR_PATIENCE: Final = frozenset({429, 503})
_any_json: Final = msgspec.json.Decoder(msgspec.Raw)


def is_success(status: int) -> bool:
    """2xx: `of_success` reads what came with it, `of_refusal` anything else."""
    return status in _SUCCESS


def of_success(
    body: bytes,
    *,
    truncated: bool,
    max_result_bytes: int,
    problems: Callable[[bytes], Sequence[str]] | None,
) -> Completed | Failure:
    """Read the result of a run: a success, unless it is one that we cannot take.

    `problems` holds it against the job's schema; a job without one has none.
    """
    result = None if truncated else stored_result(body)
    if truncated or (result is not None and len(result) > max_result_bytes):
        return _unusable(f"endpoint returned a result of more than {max_result_bytes} bytes")
    found = problems(b"null" if result is None else result) if problems else ()
    if found:
        return _unusable(f"result does not match result_schema: {'; '.join(found)}")
    return Completed(result)


def of_refusal(answer: Answer, *, secrets: Collection[str], now: datetime) -> Failure:
    """Read why an endpoint refuses. `secrets`, sent with the run, must not come back in it."""
    asked = answer.retry_after if answer.status in _ASKS_FOR_PATIENCE else None
    return Failure(
        error=error_text.of_answer(answer.status, answer.body, secrets=secrets),
        error_class=classify.of_status(answer.status),
        retry_after_seconds=retry_after_seconds(asked, now=now) if asked else 0.0,
    )


def of_trouble(trouble: Trouble, error: str, *, secrets: Collection[str]) -> Failure:
    """Read why there is no answer."""
    if trouble is Trouble.TIMEOUT:
        return DEADLINE_PASSED
    return Failure(
        error=error_text.presentable(error, secrets=secrets),
        error_class=classify.of_trouble(trouble),
    )


def of_internal(error: str, *, secrets: Collection[str]) -> Failure:
    """Read an error of our own that kept the request from being made."""
    return Failure(
        error=error_text.presentable(error, secrets=secrets),
        error_class=classify.of_internal(error),
    )


def stored_result(body: bytes) -> bytes | None:
    """Make JSON of a body: as it is if it is JSON, else as a JSON string (T26).

    An empty body is no result. NUL characters vanish: PostgreSQL cannot keep them.
    """
    if not body:
        return None
    try:
        body.decode()  # the JSON decoder does not look inside strings
        _any_json.decode(body)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(body.decode(errors="replace").replace("\0", ""))
    return strip_nul(body)


def _unusable(error: str) -> Failure:
    """Fail what succeeded but told us nothing we can keep; doing it again will not help."""
    return Failure(error=error_text.cut(error, error_text.MAX_BYTES), error_class=ErrorClass.CLIENT)
