"""What workers do by themselves, beside working."""

from strait_server.base.db.connection import Connection
from strait_server.base.telemetry.metrics import QueueMetrics
from strait_server.work.workers.model import Policy
from strait_server.work.workers.service import load
from strait_server.work.workers.service.worker import Worker


async def measure_queue(metrics: QueueMetrics, db: Connection) -> int:
    """Set the gauges of what waits and what is being executed."""
    await load.measure(db, metrics)
    return 0


async def measure_jobs(metrics: QueueMetrics, db: Connection) -> int:
    """Set the gauges of what waits and what is given up, by job."""
    await load.measure_jobs(db, metrics)
    return 0


async def adapt(db: Connection, worker: Worker, policy: Policy) -> int:
    """Let the worker's concurrency follow the load (behaviour 14.2)."""
    await load.adapt(db, worker, policy)
    return 0
