"""How failures look from outside: the one table of status codes, and the envelope (api 3).

Both doors render with the same function, so the same mistake gives the same
bytes. What nobody expected becomes a 500 that says nothing but its request id,
under which the log has the rest.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol, runtime_checkable

import asyncpg
import msgspec
import structlog
from litestar.exceptions import HTTPException, MethodNotAllowedException, ValidationException
from msgspec import Struct

from strait_server.base.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    LimitReached,
    NotFound,
    StraitError,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from strait_server.base.http.exchange import Answer, Headers

STATUS_BY_ERROR: Final[Mapping[type[StraitError], int]] = {
    Invalid: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    TooLarge: 413,
    Unprocessable: 422,
    LimitReached: 429,
    Unavailable: 503,
}
_CODE_BY_STATUS: Final = {
    **{status: error.code for error, status in STATUS_BY_ERROR.items()},
    405: "method_not_allowed",
}
_JSON: Final = (b"content-type", b"application/json")
_INTERNAL: Final = 500
_NO_HEADERS: Final[Sequence[tuple[bytes, bytes]]] = ()
_NO_EXTRA: Final[Mapping[str, object]] = MappingProxyType({})
_encode: Final = msgspec.json.Encoder().encode
_log = structlog.get_logger(__name__)


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong. `error` and `message` say the same; `details` are single findings."""

    error: str
    code: str
    message: str
    details: Sequence[str] = ()
    request_id: str = ""


@runtime_checkable
class Telling(Protocol):
    """An error whose answer has keys of its own at the top level (api 3.3)."""

    extra: Mapping[str, object]


class Disconnected(Exception):
    """The client went away before the end of its request."""


def render(error: Exception, request_id: str) -> Answer:
    """Say in HTTP what went wrong, and log what nobody expected."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]  # wrapped by a task group that only carried it
    match error:
        case StraitError() if status := _status_of(error):
            return _answer(
                status,
                Problem(
                    error=error.message,
                    code=error.code,
                    message=error.message,
                    details=error.problems,
                    request_id=request_id,
                ),
                headers=_headers_for(error),
                extra=error.extra if isinstance(error, Telling) else _NO_EXTRA,
            )
        case HTTPException() if error.status_code < _INTERNAL:
            return _render_refusal(error, request_id)
        case Disconnected():
            return _plain(400, "the client went away", request_id)
        case asyncpg.QueryCanceledError():  # DB_STATEMENT_TIMEOUT (T122)
            return render(Unavailable("the database took too long"), request_id)
        case _:
            _log.error("request failed", request_id=request_id, exc_info=error)
            return _plain(_INTERNAL, "internal error", request_id, code="internal_error")


def _status_of(error: StraitError) -> int | None:
    """Find the nearest branch of the tree; None for what is no business of a caller."""
    return next(
        (STATUS_BY_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_BY_ERROR), None
    )


def _headers_for(error: StraitError) -> Headers:
    match error:
        case LimitReached() | Unavailable():
            return [(b"retry-after", b"%d" % max(1, math.ceil(error.retry_after)))]
        case Unauthorized():
            return [(b"www-authenticate", b"Bearer")]
        case _:
            return []


def _render_refusal(error: HTTPException, request_id: str) -> Answer:
    """Say in our words what Litestar refused before any of our code ran."""
    status = error.status_code
    headers: Headers = []
    details: Sequence[str] = ()
    match error:
        case MethodNotAllowedException():
            message = "method not allowed"
            allowed = (error.headers or {}).get("allow", "").replace("GET", "GET, HEAD")
            headers = [(b"allow", allowed.encode())]
        case ValidationException():
            message = "validation failed"
            details = tuple(_parameter_problems(error.extra)) or (_first_part(error.detail),)
        case _:
            message = "not found" if status == STATUS_BY_ERROR[NotFound] else error.detail.lower()
    code = _CODE_BY_STATUS.get(status, Invalid.code)
    problem = Problem(
        error=message, code=code, message=message, details=details, request_id=request_id
    )
    return _answer(status, problem, headers=headers)


def _first_part(detail: str) -> str:
    """Leave out the path, which the caller knows."""
    return detail.partition(" for path")[0]


def _parameter_problems(extra: Any) -> Iterator[str]:
    """Name the parameters that could not be read: a list of `{"key", "message"}`."""
    for finding in extra if isinstance(extra, list) else ():
        yield f"{finding.get('key', 'request')}: {finding['message']}"


def _plain(status: int, message: str, request_id: str, *, code: str = "") -> Answer:
    code = code or _CODE_BY_STATUS.get(status, Invalid.code)
    return _answer(
        status, Problem(error=message, code=code, message=message, request_id=request_id)
    )


def _answer(
    status: int,
    problem: Problem,
    *,
    headers: Sequence[tuple[bytes, bytes]] = _NO_HEADERS,
    extra: Mapping[str, object] = _NO_EXTRA,
) -> Answer:
    body = {**msgspec.to_builtins(problem), **extra} if extra else problem
    return Answer(status, [_JSON, *headers], _encode(body))
