"""The heavy half of tracing: the OpenTelemetry SDK and its exporter.

Imported by `tracing`, and only when a collector is configured.
"""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def provider(collector: str) -> TracerProvider:
    """Make what collects spans and sends them to `collector`, OTLP over HTTP, in batches."""
    made = TracerProvider(
        resource=Resource.create({"service.name": "strait"}), shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter(collector.rstrip("/") + "/v1/traces")
    made.add_span_processor(BatchSpanProcessor(exporter))
    return made
