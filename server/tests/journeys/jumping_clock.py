"""Starts the server with a wall clock that somebody else moves: `jumping_clock.py FILE`.

FILE holds a double: by how many seconds the clock is ahead, now. What is moved is
what the machine tells this process: Python's clocks, and the one in the ids that
a native library makes. Nothing of the server's own is replaced; the monotonic
clock, which no administrator can set, is left alone, and so is PostgreSQL's.
"""

import mmap
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from struct import unpack

import uuid_utils

from strait_server.__main__ import main
from strait_server.base import clock

with Path(sys.argv.pop()).open("rb") as file:
    AHEAD = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
true_time, true_uuid7 = time.time, uuid_utils.uuid7


def ahead() -> float:
    return unpack("d", AHEAD[:8])[0]


class MovedDatetime(datetime):
    """The name `datetime`, as the one module sees it that asks for the time of day."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(seconds=ahead())


time.time = lambda: true_time() + ahead()
clock.datetime = MovedDatetime
uuid_utils.uuid7 = lambda: true_uuid7(nanoseconds=int(time.time() * 1_000_000_000))

if __name__ == "__main__":
    sys.exit(main())
