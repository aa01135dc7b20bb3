"""Nouns of job code's reports."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from strait_server.base.errors import Conflict, Unauthorized, Unprocessable
from strait_server.work.queue.model import Status

MAX_DATA: Final = 64 * 1024
MAX_ERROR: Final = 4096

Text = Annotated[str, Meta(max_length=16_384)]
Word = Annotated[str, Meta(min_length=1, max_length=64)]


class Log(Struct, frozen=True, kw_only=True):
    """Body of a log line. Levels are debug, info, warn and error, but any is kept as it is."""

    message: Annotated[str, Meta(min_length=1, max_length=16_384)]
    type: Word = "log"
    level: Word = "info"
    data: msgspec.Raw = msgspec.Raw(b"")


class Progress(Struct, frozen=True, kw_only=True):
    """Body of a progress report: how much is done, of what, and for how long it will last."""

    percent: Annotated[float, Meta(ge=0, le=100)]
    message: Text = ""
    step: Annotated[str, Meta(max_length=256)] | None = None
    eta_seconds: Annotated[float, Meta(ge=0)] | None = None


class Complete(Struct, frozen=True, kw_only=True):
    """Body of the request to end the run well. Null and nothing are the same: no result."""

    result: msgspec.Raw = msgspec.Raw(b"")


class Fail(Struct, frozen=True, kw_only=True):
    """Body of the request to end the run badly, or with `retryable` only this attempt."""

    error: Annotated[str, Meta(min_length=1)]
    retryable: bool = False


class Heard(Struct, frozen=True):
    """That a sign of life was noted."""

    status: Literal["ok"] = "ok"


class Ended(Conflict):
    """The run is final, so that nothing can be reported of it any more. Says how it ended."""

    def __init__(self, status: Status) -> None:
        super().__init__("run already in terminal state")
        self.extra = {"status": status}


class NotUnderWay(Conflict):
    """The run is not being executed: it waits for its turn."""

    def __init__(self, message: str, status: Status) -> None:
        super().__init__(message)
        self.extra = {"status": status}


class Stale(Unauthorized):
    """The token speaks for an attempt that is over."""

    def __init__(self, attempt: int) -> None:
        super().__init__(f"run token is stale: the run is at attempt {attempt}")


class ResultRefused(Unprocessable):
    """The result is not what its job promises. The run stays open."""

    code = "result_schema_validation_failed"
