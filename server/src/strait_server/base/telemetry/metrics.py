"""What is counted and measured: the whole list (behaviour 15.1).

A `Metrics` belongs to one process and is handed to whoever records; nothing is
registered globally. The names are public: dashboards and alerts stand on them.
"""

from typing import Final

from msgspec import Struct
from prometheus_client import CollectorRegistry, generate_latest

from strait_server.base.telemetry.instruments import Counter, Gauge, Histogram, Instrument

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_MILLISECONDS: Final = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)


class Sample(Struct, frozen=True):
    """One number. `name` tells the parts of a histogram apart."""

    name: str
    labels: dict[str, str]
    value: float


class MetricFamily(Struct, frozen=True):
    """A metric as JSON tells it (api 9.1)."""

    name: str
    type: str
    help: str
    samples: list[Sample]


class RunMetrics:
    """What happened to runs."""

    def __init__(self) -> None:
        self.transitions = Counter(
            "strait_run_transitions_total", "Status moves of runs", "from", "to"
        )
        self.duration = Histogram(
            "strait_run_duration",
            "Seconds from the start of a run to its end",
            "status",
            bounds=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
        )
        self.latency_anomalies = Counter(
            "strait_run_latency_anomalies_total", "Runs twice as slow as most of a day", "job_id"
        )
        self.snoozes = Counter("strait_run_snooze_total", "Runs put off at dispatch")


class QueueMetrics:
    """What waits, and how fast it is claimed."""

    def __init__(self) -> None:
        self.claim_duration = Histogram(
            "strait_dequeue_duration",
            "Seconds that a claim took",
            bounds=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
        )
        self.depth = Gauge("strait_queue_depth", "Runs in a status", "status")
        self.depth_per_job = Gauge(
            "strait_queue_depth_per_job", "Runs of a job that are queued", "job_id"
        )
        self.dead_letters = Gauge("strait_dlq_depth", "Dead letters of a job", "job_id")


class DispatchMetrics:
    """How endpoints answer."""

    def __init__(self) -> None:
        self.duration = Histogram(
            "strait_dispatch_duration",
            "Seconds that the call of an endpoint took",
            bounds=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.errors = Counter("strait_dispatch_errors_total", "Calls of endpoints that failed")
        self.trace_duration = Histogram(
            "strait_execution_trace_dispatch_duration",
            "Milliseconds of connecting, waiting and reading",
            bounds=_MILLISECONDS,
        )
        self.trace_queue_wait = Histogram(
            "strait_execution_trace_queue_wait_duration",
            "Milliseconds from queued to started",
            bounds=_MILLISECONDS,
        )


class WorkerMetrics:
    """How busy a worker is."""

    def __init__(self) -> None:
        self.running = Gauge("strait_pool_running_workers", "Runs in flight")
        self.waiting = Gauge("strait_pool_waiting_tasks", "Claimed, not started runs")
        self.submitted = Counter("strait_pool_submitted_tasks_total", "Runs taken on")
        self.completed = Counter("strait_pool_completed_tasks_total", "Runs done with")
        self.successful = Counter("strait_pool_successful_tasks_total", "Runs that succeeded")
        self.failed = Counter("strait_pool_failed_tasks_total", "Runs that failed")
        self.dropped = Counter("strait_pool_dropped_tasks_total", "Runs given back unstarted")


class LoopMetrics:
    """What happens by itself."""

    def __init__(self) -> None:
        self.reaper_operations = Counter(
            "strait_reaper_operations_total", "Passes of the reaper", "operation", "status"
        )
        self.reaper_records_deleted = Counter(
            "strait_reaper_records_deleted_total",
            "Rows deleted one by one when spent",
            "type",
        )
        self.poller_runs_queued = Counter(
            "strait_scheduler_poller_runs_queued_total", "Waiting runs that became due"
        )
        self.restarts = Counter(
            "strait_loop_restarts_total", "Background loops that failed and went on", "loop"
        )


class DatabaseMetrics:
    """How the connections to PostgreSQL are used."""

    def __init__(self) -> None:
        self.total = Gauge("strait_db_pool_total_conns", "Database connections")
        self.idle = Gauge("strait_db_pool_idle_conns", "Database connections not in use")
        self.acquired = Gauge("strait_db_pool_acquired_conns", "Database connections in use")
        self.most = Gauge("strait_db_pool_max_conns", "Most database connections")


class HttpMetrics:
    """How we answer."""

    def __init__(self) -> None:
        self.duration = Histogram(
            "strait_http_request_duration",
            "Seconds that an HTTP request took",
            "status",
            bounds=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.inflight = Gauge("strait_http_inflight_requests", "HTTP requests being answered")


class Metrics:
    """All metrics of a process. `instruments` is the list, for the reference for instance."""

    def __init__(self) -> None:
        self.runs = RunMetrics()
        self.queue = QueueMetrics()
        self.dispatch = DispatchMetrics()
        self.worker = WorkerMetrics()
        self.loops = LoopMetrics()
        self.database = DatabaseMetrics()
        self.http = HttpMetrics()
        self.shutdowns = Counter("strait_shutdown_total", "Shutdowns begun", "reason")
        self.instruments: Final[tuple[Instrument, ...]] = (
            *vars(self.runs).values(),
            *vars(self.queue).values(),
            *vars(self.dispatch).values(),
            *vars(self.worker).values(),
            *vars(self.loops).values(),
            *vars(self.database).values(),
            *vars(self.http).values(),
            self.shutdowns,
        )
        self._registry = CollectorRegistry(auto_describe=False)
        for instrument in self.instruments:
            self._registry.register(instrument)

    def render_text(self) -> bytes:
        """Write all metrics as Prometheus reads them; the type is `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def render_json(self) -> list[MetricFamily]:
        """Tell all metrics to a client that asks for JSON (api 9.1)."""
        return [
            MetricFamily(
                name=instrument.name,
                type=family.type,
                help=family.documentation,
                samples=[Sample(it.name, it.labels, it.value) for it in family.samples],
            )
            for instrument in self.instruments
            for family in instrument.collect()
        ]
