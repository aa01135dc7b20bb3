"""What it takes to change runs."""

from typing import NamedTuple

from strait_server.base.db.database import Database
from strait_server.work.jobs.service.definitions import Definitions


class Means(NamedTuple):
    """What a process has and what its operator decided, made once at the start.

    `worth` is what one point of priority weighs, in microseconds of waiting.
    `lookups` lends to who holds a connection already.
    """

    definitions: Definitions
    lookups: Database
    worth: int
    default_ttl_secs: int = 0
