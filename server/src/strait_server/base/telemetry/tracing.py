"""Traces from the trigger to the endpoint, exported only when asked for (behaviour 15.2).

The W3C context of a caller is kept with the run and handed on to the endpoint
either way; spans of our own join the chain when a collector is configured.
Nothing is global: who traces was given the `Tracing` of its process. The
standard OTEL_* variables for sampling and batching are honoured by the library.
"""

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Protocol, Self

from msgspec import Struct

from strait_server.base.settings import Settings
from strait_server.base.telemetry.redaction import redact_fields, redact_text

Attributes = Mapping[str, object]

_TRACEPARENT: Final = re.compile(
    "(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_TRACESTATE: Final = re.compile(r"[\x20-\x7e]{1,512}")


class TraceContext(Struct, frozen=True):
    """A place in somebody's trace, as the two W3C headers write it."""

    traceparent: str
    tracestate: str = ""


def parse(traceparent: str, tracestate: str = "") -> TraceContext | None:
    """Read the two headers. None: the first is not valid, and the second then means nothing."""
    match = _TRACEPARENT.fullmatch(traceparent.strip())
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "00" and more:
        return None
    state = tracestate.strip()
    return TraceContext(
        f"00-{trace_id}-{span_id}-{flags}", state if _TRACESTATE.fullmatch(state) else ""
    )


class Exported(Protocol):
    """A span on its way to a collector."""

    @property
    def traceparent(self) -> str: ...
    def describe(self, attributes: Mapping[str, str | bool | int | float]) -> None: ...
    def fail(self, reason: str) -> None: ...
    def end(self) -> None: ...


class Span:
    """A stretch of work. `context` is what its children, here or elsewhere, are told.

    Without a collector it is only that: the context it was given.
    """

    __slots__ = ("_exported", "context")

    def __init__(self, context: TraceContext | None, exported: Exported | None = None) -> None:
        self.context = context
        self._exported = exported

    def describe(self, attributes: Attributes) -> None:
        """Say more about the work. Secrets are redacted as in logs."""
        if self._exported is not None:
            self._exported.describe(_plain(attributes))

    def fail(self, reason: str) -> None:
        if self._exported is not None:
            self._exported.fail(redact_text(reason))

    def end(self) -> None:
        if self._exported is not None:
            self._exported.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is not None:
            self.fail(f"{type(error).__name__}: {error}")
        self.end()


class Tracing:
    """The tracer of a process; a silent one if no collector is configured."""

    def __init__(self, settings: Settings) -> None:
        self.enabled: Final = bool(settings.otel_exporter_otlp_endpoint)
        if not self.enabled:
            return
        # Ten megabytes and 200 ms that a process without a collector is spared.
        from strait_server.base.telemetry.exporting import Exporter  # noqa: PLC0415

        self._exporter = Exporter(settings.otel_exporter_otlp_endpoint)

    def start(
        self, name: str, *, parent: TraceContext | None = None, attributes: Attributes | None = None
    ) -> Span:
        """Begin a span, as a child of the parent or as the root of a trace of its own."""
        if not self.enabled:
            return Span(parent)
        traceparent, tracestate = (parent.traceparent, parent.tracestate) if parent else ("", "")
        exported = self._exporter.start(
            name, traceparent, tracestate, attributes=_plain(attributes or {})
        )
        return Span(TraceContext(exported.traceparent, tracestate), exported)

    def close(self) -> None:
        """Send what is left. Blocks on the network, so call it in a thread."""
        if self.enabled:
            self._exporter.close()


def _plain(attributes: Attributes) -> dict[str, str | bool | int | float]:
    return {
        name: value if isinstance(value, str | bool | int | float) else str(value)
        for name, value in redact_fields(attributes).items()
    }
