"""What kind of failure it was (behaviour 4.3).

The class is found where the failure is: in the status of an answer, in the
kind of trouble on the way, or in the text of an error of our own. Never in
what the endpoint wrote: a 500 whose body says "out of memory" is `server`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from strait_server.work.dispatch.model import Trouble
from strait_server.work.queue.model import ErrorClass

RETRYABLE: Final = frozenset(
    {
        ErrorClass.TIMEOUT,
        ErrorClass.RATE_LIMITED,
        ErrorClass.SERVER,
        ErrorClass.CONNECTION,
        ErrorClass.TRANSIENT,
        ErrorClass.UNKNOWN,
    }
)
"""Trying again may help. The others fail the same way every time, or must not be repeated."""

ENDPOINT_AT_FAULT: Final = RETRYABLE - {ErrorClass.UNKNOWN}
"""The endpoint is unwell, not the request wrong.

So its circuit counts the failure (behaviour 4.4), and another endpoint may do
better (behaviour 3.5).
"""

_STATUS: Final[Mapping[int, ErrorClass]] = MappingProxyType(
    {
        401: ErrorClass.AUTH,
        403: ErrorClass.AUTH,
        408: ErrorClass.TIMEOUT,
        425: ErrorClass.TRANSIENT,
        429: ErrorClass.RATE_LIMITED,
    }
)

_TROUBLE: Final[Mapping[Trouble, ErrorClass]] = MappingProxyType(
    {
        Trouble.TIMEOUT: ErrorClass.TIMEOUT,
        Trouble.CONNECTION: ErrorClass.CONNECTION,
        Trouble.PROTOCOL: ErrorClass.TRANSIENT,
        # The job names an address we do not call, or answers with more than we
        # take. Both are for its owner to mend; time does not.
        Trouble.REFUSED: ErrorClass.CLIENT,
        Trouble.TOO_LARGE: ErrorClass.CLIENT,
    }
)

_BUDGET: Final = re.compile("budget exceeded|cost limit", re.IGNORECASE)
_OOM: Final = re.compile(r"out of memory|memory limit exceeded|\bOOM\b|\bENOMEM\b", re.IGNORECASE)

_REDIRECT: Final = 300
_SERVER_ERROR: Final = 500


def of_status(status: int) -> ErrorClass:
    """Classify an answer that is not a success. A redirect is the client's mistake (T28)."""
    if status in _STATUS:
        return _STATUS[status]
    if status >= _SERVER_ERROR:
        return ErrorClass.SERVER
    return ErrorClass.CLIENT if status >= _REDIRECT else ErrorClass.UNKNOWN


def of_trouble(trouble: Trouble) -> ErrorClass:
    """Classify an attempt that got no answer."""
    return _TROUBLE[trouble]


def of_internal(error: str) -> ErrorClass:
    """Classify an error that our own code raised."""
    if _BUDGET.search(error):
        return ErrorClass.BUDGET
    return ErrorClass.OOM if _OOM.search(error) else ErrorClass.UNKNOWN
