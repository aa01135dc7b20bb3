"""Workers that vanish, hang and come back, while others take over (behaviour 8.1, D15, T82)."""

import asyncio
import signal
import time
from datetime import UTC, datetime, timedelta

from journeys.endpoint import works_for
from journeys.machine import eventually
from journeys.storm import say

HASTY = {"STALE_THRESHOLD": "2s", "HEARTBEAT_INTERVAL": "500ms", "POLLER_INTERVAL": "1s"}


def leader_of(workers):
    leading = [worker for worker in workers if worker.has_said("leading")]
    return leading[0] if leading else None


async def test_another_worker_leads_when_the_leader_is_killed(settled):
    """D15: of three, the one that leads. Lost runs are rescued, delayed ones become due."""
    settled.endpoint.play("led", works_for(1))
    await settled.job("led", retry_strategy="fixed")
    workers = await asyncio.gather(*(settled.start_worker() for _ in range(3)))
    await settled.trigger("led", 30)
    due = datetime.now(UTC) + timedelta(seconds=2.5)
    delayed = await settled.trigger("led", 5, scheduled_at=due.isoformat())
    await eventually(lambda: len(settled.endpoint.calls_to("led")) == 30, within=5)
    leader = await eventually(lambda: leader_of(workers), within=5)

    killed = settled.kill(leader)

    await eventually(lambda: leader_of(settled.workers), within=5)
    say(f"another leads after {time.monotonic() - killed:.1f} s")
    await settled.at_rest(within=10)
    calls = [call for call in settled.endpoint.calls_to("led") if str(call.run_id) in delayed]
    assert len(calls) == len(delayed)
    assert all(due.timestamp() <= call.wall < due.timestamp() + 1 for call in calls)


async def test_a_worker_that_hangs_is_replaced_and_comes_back_under_another_name(settled):
    """Its lease runs out, as in a partition; what it then says of its runs changes nothing."""
    settled.endpoint.play("hang", works_for(1))
    await settled.job("hang", retry_strategy="fixed")
    hanging = await settled.start_worker(**HASTY)
    [run_id] = await settled.trigger("hang")
    await eventually(lambda: is_executing(settled, run_id), within=5)
    hanging.signal(signal.SIGSTOP)
    settled.fault()
    await settled.start_worker(**HASTY)
    await settled.at_rest(within=10)
    [run] = await settled.runs("hang")
    assert (run["status"], run["attempt"]) == ("completed", 2)
    await settled.stop_workers(but=hanging)
    await settled.trigger("hang", 10)

    hanging.signal(signal.SIGCONT)

    await settled.at_rest(within=10)
    assert [line["msg"] for line in hanging.said()].count("worker registered") == 2
    assert await settled.runs("hang") == [run, *(await settled.runs("hang"))[1:]]
    assert len(settled.endpoint.calls_to("hang")) == 12


async def is_executing(stage, run_id):
    rows = await stage.rows("select status from runs where id = $1", run_id)
    return rows[0]["status"] == "executing"
