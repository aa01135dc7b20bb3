"""How much there is to do, and how many hands to put to it."""

from strait_server.base.db.connection import Connection
from strait_server.base.telemetry.metrics import QueueMetrics
from strait_server.work.workers import store
from strait_server.work.workers.model import Policy
from strait_server.work.workers.rules.adaptive import adapted
from strait_server.work.workers.service.worker import Worker


async def measure(db: Connection, metrics: QueueMetrics) -> None:
    """Set the gauges of what waits and what is being executed."""
    depths = await store.depths(db)
    metrics.depth.replace({(row.status,): row.runs for row in depths})


async def adapt(db: Connection, worker: Worker, policy: Policy) -> None:
    """Look at the queue once, and allow the worker more or fewer runs (behaviour 14.2)."""
    if policy.adaptive_bounds is None:
        return
    lowest, highest = policy.adaptive_bounds
    depth = await store.claimable(db, project_ids=policy.partitions or None)
    here = worker.pace
    worker.follow(
        adapted(
            here,
            depth=depth,
            utilisation=worker.in_flight / max(here.limit, 1),
            lowest=lowest,
            highest=highest,
        )
    )
