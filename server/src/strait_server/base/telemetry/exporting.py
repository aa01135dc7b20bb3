"""The heavy half of tracing: the OpenTelemetry SDK and its exporter.

Imported by `tracing`, and only when a collector is configured.
"""

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class ExportedSpan:
    """A span that is sent to the collector when it ends."""

    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        here = self._span.get_span_context()
        return f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}"

    def describe(self, attributes: Mapping[str, str | bool | int | float]) -> None:
        self._span.set_attributes(dict(attributes))

    def fail(self, reason: str) -> None:
        self._span.set_status(trace.StatusCode.ERROR, reason)

    def end(self) -> None:
        self._span.end()


class Exporter:
    """Collects spans and sends them to `collector`, OTLP over HTTP, in batches."""

    def __init__(self, collector: str) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "strait"}), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(collector.rstrip("/") + "/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("strait")

    def start(
        self,
        name: str,
        traceparent: str,
        tracestate: str,
        *,
        attributes: Mapping[str, str | bool | int | float],
    ) -> ExportedSpan:
        """Begin a span below the context of the two headers; without one, a trace of its own."""
        context = _remote(traceparent, tracestate) if traceparent else Context()
        return ExportedSpan(
            self._tracer.start_span(name, context=context, attributes=dict(attributes))
        )

    def close(self) -> None:
        self._provider.shutdown()


def _remote(traceparent: str, tracestate: str) -> Context:
    _, trace_id, span_id, flags = traceparent.split("-")
    there = trace.SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(flags, 16)),
        trace_state=trace.TraceState.from_header([tracestate]),
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(there), Context())
