"""Changing the fate of runs (api 9.9, 9.10)."""

from typing import Final

import msgspec
from litestar import Router, delete, post
from litestar.di import NamedDependency
from msgspec import Struct

from strait_server.base.errors import Invalid
from strait_server.base.http.guards import requires
from strait_server.base.http.params import Db, FromPath, FromQuery, JSONBody
from strait_server.tenancy.access.model import Actor
from strait_server.work.intake.model import Instant
from strait_server.work.queue.model import Run, Status, TriggeredBy
from strait_server.work.runs.model import (
    CanceledByFilter,
    CanceledRuns,
    ReplayedDeadLetters,
    ReplayedRuns,
    ResetKey,
)
from strait_server.work.runs.routes.reading import RunMeans
from strait_server.work.runs.service import canceling, moving, replaying
from strait_server.work.runs.service.canceling import Sweep
from strait_server.work.runs.service.references import read_id
