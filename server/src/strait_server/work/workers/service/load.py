"""How much there is to do, and how many hands to put to it."""

from collections.abc import Mapping, Sequence

from strait_server.base.db.connection import Connection
from strait_server.base.telemetry.metrics import QueueMetrics
from strait_server.work.workers import store
from strait_server.work.workers.model import JobDepth, Policy
from strait_server.work.workers.rules.adaptive import adapted
from strait_server.work.workers.service.worker import Worker


async def measure(db: Connection, metrics: QueueMetrics) -> None:
    """Set the gauges of what waits and what is being executed."""
    depths = await store.depths(db)
    metrics.depth.replace({(row.status,): row.runs for row in depths})


async def measure_jobs(db: Connection, metrics: QueueMetrics) -> None:
    """Set the gauges of what waits and what is given up, by job."""
    metrics.depth_per_job.replace(_by_job(await store.queued_by_job(db)))
    metrics.dead_letters.replace(_by_job(await store.dead_letters_by_job(db)))


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


def _by_job(depths: Sequence[JobDepth]) -> Mapping[tuple[str, ...], float]:
    return {(str(row.job_id),): row.runs for row in depths}
