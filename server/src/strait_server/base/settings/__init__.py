"""What the operator decides: the whole list, read once at the start.

The table is the class: a field is a variable of the same name in capitals, and
says its type, default, reader and help in one place. Nothing else of ours takes
a setting from the environment; the library of traces has OTEL_* variables of its own.

Some defaults differ from other servers of this interface. No rate limit is on
until it is asked for, because trigger loads of thousands a second are normal
here. A lost worker is noticed in 15 seconds. The server listens on this
machine only until HOST says otherwise.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, NamedTuple, Self, get_type_hints

from msgspec import Struct

from strait_server.base.settings import relations, sources
from strait_server.base.settings.sources import Setting, SettingsError, Source
from strait_server.base.settings.values import (
    Network,
    at_least,
    database_url,
    duration,
    flag,
    hide,
    hide_password,
    http_url,
    key,
    keys,
    networks,
    one_of,
    period,
    show,
    ssl_mode,
    text,
    weights,
    whole,
    words,
)

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_MANY: Final = 2_147_483_647


class Mode(StrEnum):
    """Which processes this one is."""

    ALL = "all"
    API = "api"
    WORKER = "worker"


class LogLevel(StrEnum):
    """The least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class LogFormat(StrEnum):
    """One JSON object per line, or text for people."""

    JSON = "json"
    TEXT = "text"


class DequeueStrategy(StrEnum):
    """Who comes first (behaviour 2.3)."""

    PRIORITY = "priority"
    FAIR_ROUND_ROBIN = "fair_round_robin"


class MigrationMode(StrEnum):
    """What a starting server does about the schema (behaviour 17.1)."""

    AUTO = "auto"
    MANUAL = "manual"
    VALIDATE = "validate"


class Edition(StrEnum):
    """There is one."""

    COMMUNITY = "community"


class SettingLine(NamedTuple):
    """A setting as people see it, secrets masked."""

    name: str
    value: str
    source: Source
    help: str


class Settings(Struct, frozen=True, kw_only=True):
    """Everything the operator decided, checked. Made by `load`."""

    sources: Mapping[str, Source]

    database_url: Annotated[
        str,
        Setting("", database_url, "PostgreSQL; empty: the embedded server", hide_password),
    ]
    data_dir: Annotated[
        Path, Setting(".strait", Path, "Folder of the embedded server and of generated secrets")
    ]
    mode: Annotated[Mode, Setting("all", one_of(Mode), "What this process does: all, api, worker")]
    host: Annotated[str, Setting("127.0.0.1", text, "Address the API listens on; 0.0.0.0: all")]
    port: Annotated[int, Setting("8080", whole(0, 65_535), "Port of the API; 0: any free one")]
    strait_edition: Annotated[
        Edition, Setting("community", one_of(Edition), "Edition, as /health tells it")
    ]

    internal_secret: Annotated[
        str, Setting(None, text, "Secret of trusted services, with access to everything", hide)
    ]
    jwt_signing_key: Annotated[
        str, Setting(None, at_least(32), "Signs run tokens; at least 32 characters", hide)
    ]
    encryption_key: Annotated[
        bytes | None,
        Setting(
            "",
            key,
            "Seals stored secrets; 32 bytes as hex, base64 or text; empty: none can be stored",
            hide,
            alias="SECRET_ENCRYPTION_KEY",
        ),
    ]
    encryption_key_old: Annotated[
        tuple[bytes, ...],
        Setting("", keys, "Former encryption keys, which still open what they sealed", hide),
    ]

    log_level: Annotated[
        LogLevel, Setting("info", one_of(LogLevel), "Least level written: debug, info, warn, error")
    ]
    log_format: Annotated[
        LogFormat, Setting("json", one_of(LogFormat), "Form of a log line: json or text")
    ]
    otel_exporter_otlp_endpoint: Annotated[
        str, Setting("", http_url, "Collector of traces, OTLP over HTTP; empty: off", hide_password)
    ]
    metrics_public: Annotated[bool, Setting("false", flag, "Whether /metrics needs no credentials")]

    worker_concurrency: Annotated[
        int, Setting("100", whole(1, 100_000), "Runs in flight per worker, to begin with")
    ]
    adaptive_concurrency_min: Annotated[
        int, Setting("5", whole(1, 100_000), "Fewest runs in flight the worker adapts to")
    ]
    adaptive_concurrency_max: Annotated[
        int, Setting("100", whole(1, 100_000), "Most runs in flight the worker adapts to")
    ]
    max_dequeue_batch_size: Annotated[
        int, Setting("0", whole(0, 100_000), "Most runs per claim; 0: as many as can start")
    ]
    dequeue_strategy: Annotated[
        DequeueStrategy,
        Setting("priority", one_of(DequeueStrategy), "Order: priority or fair_round_robin"),
    ]
    priority_aging: Annotated[
        bool, Setting("true", flag, "Whether an hour of waiting counts as one priority")
    ]
    worker_partitions: Annotated[
        tuple[str, ...], Setting("", words, "Project ids this worker serves; empty: all")
    ]
    worker_partition_weights: Annotated[
        Mapping[str, int], Setting("", weights, "Turns per cycle for each partition, id:weight")
    ]
    worker_drain_timeout: Annotated[
        timedelta, Setting("30s", period, "How long a stopping worker waits for its runs")
    ]
    memory_pressure_threshold_pct: Annotated[
        int, Setting("0", whole(0, 100), "Memory use above which nothing is claimed; 0: ignored")
    ]
    heartbeat_interval: Annotated[
        timedelta, Setting("5s", period, "How often a worker says that it lives")
    ]
    stale_threshold: Annotated[
        timedelta, Setting("15s", period, "Silence after which a worker counts as lost")
    ]
    reaper_interval: Annotated[timedelta, Setting("30s", period, "How often is tidied up")]
    poller_interval: Annotated[
        timedelta, Setting("5s", period, "How often is looked for work that nobody announced")
    ]
    run_retention_short: Annotated[
        timedelta, Setting("720h", period, "How long completed, failed and canceled runs are kept")
    ]
    run_retention_long: Annotated[
        timedelta,
        Setting("2160h", duration, "How long crashed runs and dead letters are kept; 0: forever"),
    ]

    db_max_conns: Annotated[
        int, Setting("50", whole(1, 10_000), "Most connections of the request pool")
    ]
    db_min_conns: Annotated[int, Setting("10", whole(0, 10_000), "Database connections kept open")]
    db_statement_timeout: Annotated[
        timedelta, Setting("30s", period, "Longest time of one statement")
    ]
    migration_mode: Annotated[
        MigrationMode,
        Setting("auto", one_of(MigrationMode), "Schema at start: auto, manual or validate"),
    ]
    migration_lock_timeout: Annotated[
        timedelta, Setting("30s", period, "How long is waited while another server migrates")
    ]

    request_timeout: Annotated[timedelta, Setting("30s", period, "Longest time of one request")]
    max_request_body_size: Annotated[
        int,
        Setting(
            "1048576",
            whole(1, _MANY),
            "Largest request body in bytes; of triggers and reschedules at least 6291456, "
            "of a completion 65536 more than MAX_RESULT_SIZE",
        ),
    ]
    max_bulk_trigger_items: Annotated[
        int, Setting("500", whole(1, 100_000), "Most runs per bulk trigger")
    ]
    max_result_size: Annotated[int, Setting("1048576", whole(1, _MANY), "Largest result in bytes")]
    rate_limit_requests: Annotated[
        int, Setting("0", whole(0, _MANY), "Requests per window and address; 0: no limit")
    ]
    rate_limit_window: Annotated[timedelta, Setting("1m", period, "Window of RATE_LIMIT_REQUESTS")]
    trigger_rate_limit_requests: Annotated[
        int, Setting("0", whole(0, _MANY), "Triggers per window and address; 0: no limit")
    ]
    trigger_rate_limit_window: Annotated[
        timedelta, Setting("1m", period, "Window of TRIGGER_RATE_LIMIT_REQUESTS")
    ]
    default_api_key_rate_limit: Annotated[
        int, Setting("0", whole(0, _MANY), "Requests per window and API key; 0: no limit")
    ]
    default_api_key_rate_window_secs: Annotated[
        int, Setting("60", whole(1, _MANY), "Window of DEFAULT_API_KEY_RATE_LIMIT in seconds")
    ]
    cors_allowed_origins: Annotated[
        tuple[str, ...], Setting("*", words, "Origins whose pages may call the API")
    ]
    cors_allow_credentials: Annotated[
        bool, Setting("false", flag, "Whether those pages may send credentials")
    ]
    trusted_proxies: Annotated[
        tuple[Network, ...], Setting("", networks, "Proxies whose forwarded address is believed")
    ]

    default_run_ttl_secs: Annotated[
        int, Setting("0", whole(0, _MANY), "Life of a run that has not begun; 0: by its timeout")
    ]
    default_job_max_attempts: Annotated[
        int, Setting("3", whole(1, 100), "Attempts of a job that does not say")
    ]
    default_job_timeout_secs: Annotated[
        int, Setting("300", whole(1, 86_400), "Timeout of a job that does not say")
    ]
    default_job_max_concurrency: Annotated[
        int, Setting("0", whole(0, _MANY), "Runs at once of a job that does not say; 0: no limit")
    ]
    max_snooze_count: Annotated[
        int, Setting("50", whole(0, _MANY), "How often a run may be put off before it fails")
    ]
    job_cache_ttl: Annotated[
        timedelta, Setting("5m", duration, "How long a job definition is remembered; 0: never")
    ]

    executor_idle_conn_timeout: Annotated[
        timedelta, Setting("1m30s", period, "How long an idle connection to an endpoint is kept")
    ]
    allow_private_endpoints: Annotated[
        bool, Setting("false", flag, "Whether endpoints may be in private networks")
    ]

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str],
        file: bytes | None = None,
        *,
        defaults: Mapping[str, str] = _NOTHING,
    ) -> Self:
        """Read and check everything, or raise `SettingsError` with all findings.

        `file` is TOML with the names in lower case; the environment wins.
        `defaults` stand in for our own, by variable: secrets made for a developer.
        """
        if strange := defaults.keys() - {field.upper() for field in TABLE}:
            raise KeyError(f"no such settings: {strange}")
        reading = sources.read(TABLE, environ, file, defaults)
        problems = reading.problems + relations.check(reading.values)
        if problems:
            raise SettingsError(problems)
        values: dict[str, Any] = dict(reading.values)
        return cls(sources=reading.sources, **values)

    def __repr__(self) -> str:
        """Say nothing that is secret."""
        lines = (f"{line.name}={line.value}" for line in describe(self))
        return f"Settings({', '.join(lines)})"


def _table() -> Mapping[str, Setting]:
    hints = get_type_hints(Settings, include_extras=True)
    return MappingProxyType(
        {
            field: extra
            for field, hint in hints.items()
            for extra in getattr(hint, "__metadata__", ())
            if isinstance(extra, Setting)
        }
    )


TABLE: Final = _table()


def describe(settings: Settings) -> list[SettingLine]:
    """Show what is in force and who said so."""
    return [
        SettingLine(
            field.upper(),
            setting.mask(show(getattr(settings, field))),
            settings.sources[field],
            setting.help,
        )
        for field, setting in TABLE.items()
    ]


def warnings(settings: Settings) -> list[str]:
    """Say what is allowed, but not wise."""
    if ssl_mode(settings.database_url) == "disable":
        return ["DATABASE_URL: sslmode=disable is for development only"]
    return []
