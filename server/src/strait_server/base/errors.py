"""Every failure we expect, as a tree.

    StraitError
    ├── Invalid            400  the caller sent something we cannot accept
    ├── Unauthorized       401  we do not know who is calling
    ├── Forbidden          403  we know, and the answer is no
    ├── NotFound           404  it is not there, or not yours
    ├── Conflict           409  it is there, but its state forbids this
    ├── Gone               410  it was there, and has ended
    ├── TooLarge           413  more bytes than we take
    ├── Unprocessable      422  well formed, but against the schema it must match
    ├── LimitReached       429  a quota, a budget or a rate said no
    └── Unavailable        503  something we stand on does not answer

A room subclasses the nearest branch. HTTP codes are attached in one place,
`base/http/problems.py`; nothing below it knows that HTTP exists.
"""

from collections.abc import Sequence
from typing import ClassVar


class StraitError(Exception):
    """An expected failure.

    `message` is for people: lower case, no full stop, nothing internal.
    `problems` are single findings, one line each, for a form to show.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)


class Invalid(StraitError):
    """The caller sent something we cannot accept."""

    code = "validation_error"


class Unauthorized(StraitError):
    """We do not know who is calling."""

    code = "unauthorized"


class Forbidden(StraitError):
    """We know who is calling, and the answer is no."""

    code = "forbidden"


class NotFound(StraitError):
    """It is not there, or not yours."""

    code = "not_found"


class Conflict(StraitError):
    """It is there, but its state forbids this."""

    code = "conflict"


class Gone(StraitError):
    """It was there, and has ended."""

    code = "gone"


class TooLarge(StraitError):
    """More bytes than we take."""

    code = "payload_too_large"


class Unprocessable(StraitError):
    """Well formed, but against the schema it must match."""

    code = "unprocessable"


class LimitReached(StraitError):
    """A quota, a budget or a rate said no.

    `retry_after` is in seconds: when asking again may succeed.
    """

    code = "rate_limited"

    def __init__(
        self, message: str, *, retry_after: float = 1.0, problems: Sequence[str] = ()
    ) -> None:
        super().__init__(message, problems=problems)
        self.retry_after = retry_after


class Unavailable(StraitError):
    """Something we stand on does not answer.

    `retry_after` is in seconds.
    """

    code = "service_unavailable"

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
