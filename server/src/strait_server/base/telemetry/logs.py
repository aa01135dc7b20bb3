"""Log lines: one JSON object each, on standard output (behaviour 15.3).

Modules ask `structlog.get_logger(__name__)` and say a constant phrase with
fields. What belongs to a request or a run is bound once, with
`structlog.contextvars.bound_contextvars(run_id=…)`, and stands in every line
said inside. Libraries that use `logging` go through the same pipeline, so
nothing reaches the output without redaction. A line below the level costs less
than a microsecond, one that is written about twelve.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, BinaryIO, Final

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from strait_server.base import clock
from strait_server.base.settings import LogFormat, LogLevel
from strait_server.base.telemetry.redaction import redact_fields

_Event = MutableMapping[str, Any]

_NUMBER_BY_LEVEL: Final = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARN: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}
_LEVEL_BY_METHOD: Final = {"warning": "warn", "critical": "error", "exception": "error"}
_OWN_HANDLERS: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "litestar")
_encode: Final = msgspec.json.Encoder(enc_hook=str).encode


def configure(level: LogLevel, form: LogFormat, *, file: BinaryIO | None = None) -> None:
    """Send every log line of the process to the file, or to standard output."""
    out = file or sys.stdout.buffer
    least = _NUMBER_BY_LEVEL[level]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            _arrange,
            _render_json if form is LogFormat.JSON else _text_renderer(colors=out.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.BytesLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(least)
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _arrange(logger: Any, method: str, event: _Event) -> _Event:
    """Put what every line has in front, and take the secrets out of the rest."""
    line: _Event = {
        "time": clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": _LEVEL_BY_METHOD.get(method, method),
        "msg": event.pop("event", ""),
        "logger": event.pop("logger", None) or getattr(logger, "name", None),
        **event,
    }
    if not line["logger"]:
        del line["logger"]
    return redact_fields(line)


def _render_json(_logger: Any, _method: str, line: _Event) -> bytes:
    return _encode(line)


def _text_renderer(*, colors: bool) -> Processor:
    render = structlog.dev.ConsoleRenderer(
        colors=colors,
        timestamp_key="time",
        event_key="msg",
        exception_formatter=structlog.dev.plain_traceback,
    )

    def render_text(logger: Any, method: str, line: _Event) -> bytes:
        return render(logger, method, line).encode(errors="replace")

    return render_text


class _Bridge(logging.Handler):
    """Says again through our pipeline what a library said through `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        log: FilteringBoundLogger = structlog.get_logger()
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # the library's format does not fit its arguments
            message = f"{record.msg} {record.args}"
        log.log(_standard(record.levelno), message, logger=record.name, exc_info=record.exc_info)


def _standard(number: int) -> int:
    """Round a level that a library made up down to one that everybody knows."""
    return max(logging.DEBUG, min(number // 10 * 10, logging.CRITICAL))
