"""What lives as long as a process: made here, in order, and handed down.

Nothing below `app` makes any of these for itself, and nothing is global.
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any, Final

import structlog
from msgspec import Struct

from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.crypto.sealing import Sealer
from strait_server.base.db.database import PATIENCE, PINNED_PLANS, Database, Line
from strait_server.base.db.listener import Listener
from strait_server.base.db.queries import Query
from strait_server.base.http.health import Check, Health
from strait_server.base.http.limits import Rate
from strait_server.base.outbound.resolver import Resolver
from strait_server.base.outbound.urls import EndpointPolicy
from strait_server.base.settings import Settings
from strait_server.base.telemetry.metrics import Metrics
from strait_server.base.telemetry.tracing import Tracing
from strait_server.tenancy.access.service.keyring import Keyring
from strait_server.work.intake.service.triggers import Intake
from strait_server.work.intake.service.triggers import Limits as IntakeLimits
from strait_server.work.jobs.model import JobDefaults
from strait_server.work.jobs.service.definitions import Definitions
from strait_server.work.jobs.service.means import Means
from strait_server.work.queue.rules.priority import worth_micros
from strait_server.work.runs.service.means import Means as RunMeans
from strait_server.work.sdk.service import Policy as ReportPolicy
from strait_server.work.sdk.service import Reports

_STOP_SECONDS: Final = 10.0
_LOOKUPS: Final = 4  # connections
_log = structlog.get_logger(__name__)
_ALIVE: Final = Query("alive", "select 1", ())


class Services(Struct, frozen=True, kw_only=True):
    """What lives as long as the process, whichever its mode."""

    settings: Settings
    database: Database
    listener: Listener
    metrics: Metrics
    tracing: Tracing
    tokens: RunTokens
    sealer: Sealer
    keyring: Keyring
    definitions: Definitions
    job_means: Means
    run_means: RunMeans
    intake: Intake
    reports: Reports
    health: Health
    worth: int
    broken: asyncio.Event

    def watch(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run something beside the rest that must not end by itself: the process ends with it."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            _log.critical("background task ended", task=task.get_name(), exc_info=task.exception())
            self.broken.set()

    def count_loop(self, name: str, succeeded: bool) -> None:  # noqa: FBT001 - what the runner says
        """Count a step of a background loop (behaviour 8.4, T125)."""
        status = "success" if succeeded else "error"
        self.metrics.loops.reaper_operations.add(1, name, status)
        if not succeeded:
            self.metrics.loops.restarts.add(1, name)


@asynccontextmanager
async def living(settings: Settings, database: Database | None = None) -> AsyncGenerator[Services]:
    """Make everything, run what runs beside requests, and close it all in reverse order.

    The database is that of the settings, unless one is given.
    """
    # Whoever holds a connection of the pool may need a look-up to go on: look-ups
    # have a pool of their own, or the two could wait for each other.
    lookups = database or _database(settings, at_most=_LOOKUPS)
    database = database or _database(settings)
    lines = [Line(database, PINNED_PLANS, patience=PATIENCE) for _ in range(3)]
    services = _make(settings, database, lookups, *lines)
    _listen(services)
    _measure(services)
    beside = [
        services.watch(services.intake.flusher.run(), name="triggers"),
        services.watch(services.reports.run(), name="reports"),
        services.watch(services.keyring.run(), name="keyring"),
    ]
    try:
        yield services
    finally:
        for task in beside:
            task.cancel()
        await asyncio.wait(beside, timeout=_STOP_SECONDS)
        for line in lines:
            await line.close()
        services.job_means.resolver.close()
        await lookups.close()
        await database.close()
        await asyncio.to_thread(services.tracing.close)


def _database(settings: Settings, *, at_most: int | None = None) -> Database:
    return Database(
        settings.database_url,
        min_connections=1 if at_most else settings.db_min_conns,
        max_connections=at_most or settings.db_max_conns,
        statement_timeout=settings.db_statement_timeout,
    )


def _make(
    settings: Settings,
    database: Database,
    lookups: Database,
    triggers: Line,
    reports: Line,
    watch: Line,
) -> Services:
    worth = worth_micros(aging=settings.priority_aging)
    sealer = Sealer(settings.encryption_key, former=settings.encryption_key_old)
    definitions = Definitions(lookups, ttl_seconds=settings.job_cache_ttl.total_seconds())
    tokens = RunTokens(settings.jwt_signing_key)
    limits = IntakeLimits(
        worth=worth,
        default_ttl_secs=settings.default_run_ttl_secs,
        max_bulk_items=settings.max_bulk_trigger_items,
    )
    return Services(
        settings=settings,
        database=database,
        listener=Listener(database),
        metrics=Metrics(),
        tracing=Tracing(settings),
        tokens=tokens,
        sealer=sealer,
        keyring=Keyring(
            lookups,
            default_rate=Rate(
                settings.default_api_key_rate_limit, settings.default_api_key_rate_window_secs
            ),
        ),
        definitions=definitions,
        job_means=Means(
            definitions=definitions,
            resolver=Resolver(),
            endpoints=EndpointPolicy(allow_private=settings.allow_private_endpoints),
            sealer=sealer,
            defaults=JobDefaults(
                max_attempts=settings.default_job_max_attempts,
                timeout_secs=settings.default_job_timeout_secs,
                max_concurrency=settings.default_job_max_concurrency,
            ),
            worth=worth,
        ),
        run_means=RunMeans(
            definitions=definitions,
            lookups=lookups,
            worth=worth,
            default_ttl_secs=settings.default_run_ttl_secs,
        ),
        intake=Intake(triggers, tokens, limits),
        reports=Reports(
            reports,
            definitions,
            ReportPolicy(worth=worth, max_result_bytes=settings.max_result_size),
        ),
        health=_health(settings, watch),
        worth=worth,
        broken=asyncio.Event(),
    )


def _health(settings: Settings, line: Line) -> Health:
    """Look at the database on a line of its own, which no load can keep busy (T121)."""

    async def ask_database() -> None:
        async with line.connection() as db:
            await db.execute(_ALIVE)

    return Health(
        [Check(name="database", probe=ask_database, critical=True)],
        edition=settings.strait_edition,
        version=version(),
    )


def _listen(services: Services) -> None:
    """Let copies of what others may change hear of changes."""
    keyring, definitions = services.keyring, services.definitions
    services.listener.subscribe("strait_changed", keyring.hear, after_gap=keyring.forget)
    services.listener.subscribe("strait_changed", definitions.forget, after_gap=definitions.forget)


def _measure(services: Services) -> None:
    """Let the gauges of the pool ask when somebody scrapes."""
    usage, gauges = services.database.usage, services.metrics.database
    gauges.total.follow(lambda: usage()[0])
    gauges.idle.follow(lambda: usage()[1])
    gauges.acquired.follow(lambda: usage()[0] - usage()[1])
    gauges.most.follow(lambda: usage()[2])


def version() -> str:
    """Tell the version that is installed; none when it runs from its source."""
    try:
        return metadata.version("strait-server")
    except metadata.PackageNotFoundError:
        return "0.0.0"
