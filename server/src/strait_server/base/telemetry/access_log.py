"""The access log: one line per request (behaviour 15.3), written many at a time.

A line of its own through the usual pipeline would cost a tenth of a trigger.
The fields are always the same, so they are a Struct; lines wait for up to a
tenth of a second and leave in one write. A text log, which people read, goes
through the usual pipeline at once.
"""

import asyncio
import logging
import sys
from datetime import datetime
from functools import lru_cache
from typing import Any, BinaryIO, Final

import msgspec
import structlog
from msgspec import Struct

from strait_server.base.settings import LogFormat, LogLevel
from strait_server.base.telemetry.redaction import redact_text

_LINGER_SECONDS: Final = 0.1
_MOST_WAITING: Final = 500
_RANK: Final = {"debug": 0, "info": 1, "warn": 2, "error": 3}
_NUMBER: Final = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_text: Final[Any] = structlog.get_logger(__name__)


class Access(Struct, frozen=True, kw_only=True):
    """One request that was answered. `level` follows the status."""

    time: datetime
    level: str
    msg: str = "request"
    method: str
    path: str
    status: int
    duration_ms: float
    bytes: int
    remote_addr: str
    user_agent: str
    request_id: str
    query: str
    content_length: int
    actor_id: str | None
    project_id: str | None


class AccessLog:
    """Where requests are noted. Belongs to one event loop."""

    def __init__(self, level: LogLevel, form: LogFormat, *, file: BinaryIO | None = None) -> None:
        self._least = _RANK[str(level)]
        self._form = form
        self._file = file or sys.stdout.buffer
        self._waiting: list[Access] = []
        self._encoder = msgspec.json.Encoder()

    def wants(self, level: str) -> bool:
        """Whether lines of this level are written at all."""
        return _RANK[level] >= self._least

    def note(self, access: Access) -> None:
        """Write the line, soon."""
        if self._form is not LogFormat.JSON:
            fields = msgspec.structs.asdict(access)
            for known in ("time", "level", "msg"):
                del fields[known]
            _text.log(_NUMBER[access.level], access.msg, **fields)
            return
        if not self._waiting:
            asyncio.get_running_loop().call_later(_LINGER_SECONDS, self.flush)
        self._waiting.append(access)
        if len(self._waiting) >= _MOST_WAITING:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._file.write(self._encoder.encode_lines(waiting))
            self._file.flush()


@lru_cache(maxsize=1024)
def clean_agent(text: str) -> str:
    """Take secrets out of the name of a client; there are few, and they return."""
    return redact_text(text)
