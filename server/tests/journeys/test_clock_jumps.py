"""The clock of every process jumps by an hour, and back (behaviour D25).

What is due when is for PostgreSQL's clock to say. That one is right here, and so
is the test's.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from struct import pack
from uuid import UUID

import jwt
import pytest
from journeys.stage import standing

HOUR = 3600.0
LATE = 1.5  # seconds, on a busy machine
LAUNCHER = str(Path(__file__).with_name("jumping_clock.py"))


class Clock:
    """The wall clock of the processes that `command` starts."""

    def __init__(self, file):
        self._file = file
        file.write_bytes(pack("d", 0.0))
        self.command = (sys.executable, LAUNCHER, str(file))

    def set(self, seconds):
        """Be so far ahead from now on."""
        with self._file.open("r+b") as file:
            file.write(pack("d", seconds))


@pytest.fixture
async def stage():
    async with standing() as stage:
        yield stage


@pytest.fixture
async def clock(stage):
    """Have all processes of the stage live by it."""
    clock = Clock(stage.folder / "ahead")
    stage.kill(stage.api)
    await asyncio.gather(stage.start_api(*clock.command), stage.start_worker(*clock.command))
    return clock


async def fails_once(visit):
    visit.answer(200 if visit.call.attempt > 1 else 500)


def made_at(run_id):
    """When the process that made the id thought that it was, in seconds since 1970."""
    return (UUID(run_id).int >> 80) / 1000


class Dates:
    """Runs that were triggered, and when they are due."""

    def __init__(self, stage):
        self._stage = stage
        self.due_at = {}

    async def make(self):
        """One run for now, one for soon, and one that fails at first. Answers the first."""
        soon = datetime.now(UTC) + timedelta(seconds=2)
        [now_id] = await self._stage.trigger("dated")
        [soon_id] = await self._stage.trigger("dated", scheduled_at=soon.isoformat())
        await self._stage.trigger("retried")
        self.due_at |= {now_id: time.time(), soon_id: soon.timestamp()}
        return now_id

    def lateness(self):
        """How late each run was sent, in seconds. Each once."""
        calls = self._stage.endpoint.calls_to("dated")
        assert len(calls) == len(self.due_at)
        return {str(call.run_id): call.wall - self.due_at[str(call.run_id)] for call in calls}


async def test_nothing_is_early_or_late_or_twice(stage, clock):
    stage.endpoint.play("retried", fails_once)
    await stage.job("dated")
    await stage.job("retried", retry_strategy="fixed", max_attempts=2)
    dates = Dates(stage)
    for ahead in (HOUR, -HOUR, 0.0):
        await dates.make()

        clock.set(ahead)

        run_id = await dates.make()
        assert abs(made_at(run_id) - time.time() - ahead) < LATE
        await stage.at_rest(within=10)
    assert all(-0.1 <= seconds < LATE for seconds in dates.lateness().values()), dates.lateness()
    tries = sorted(stage.endpoint.calls_to("retried"), key=lambda call: (call.run_id, call.attempt))
    assert [call.attempt for call in tries] == [1, 2] * 6
    for first, second in zip(tries[::2], tries[1::2], strict=True):
        assert 0.8 <= second.at - first.at < 1.2 + LATE
    for call in stage.endpoint.calls_to("dated"):  # a token that is late would be no good
        said = jwt.decode(call.token, options={"verify_signature": False})
        assert abs(said["iat"] - call.wall) < LATE
    await stage.audit()
