"""Traces (behaviour 15.2; W3C Trace Context)."""

import asyncio
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from strait_server.base.settings import Settings
from strait_server.base.telemetry.tracing import TraceContext, Tracing, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = TraceContext(f"00-{TRACE}-{SPAN}-01", "vendor=1,other=2")


class Collector(BaseHTTPRequestHandler):
    """A collector that keeps what it gets."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.received = []
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def tracing(endpoint=""):
    return Tracing(
        Settings.load(
            {
                "INTERNAL_SECRET": "s",
                "JWT_SIGNING_KEY": "j" * 32,
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            }
        )
    )


def exporting_to(collector):
    return tracing(f"http://127.0.0.1:{collector.server_port}/")


def spans(collector):
    return {
        span.name: span
        for _, request in collector.received
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


@pytest.mark.parametrize(
    ("traceparent", "read"),
    [
        (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f"  00-{TRACE}-{SPAN}-00 ", f"00-{TRACE}-{SPAN}-00"),
        (f"cc-{TRACE}-{SPAN}-01-what-comes", f"00-{TRACE}-{SPAN}-01"),
    ],
)
def test_a_valid_parent_is_read(traceparent, read):
    assert parse(traceparent) == TraceContext(read)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE}-{SPAN}-01\r\nX: y",
    ],
)
def test_an_invalid_parent_is_none(traceparent):
    assert parse(traceparent, "vendor=1") is None


@pytest.mark.parametrize("tracestate", ["a=1\r\nX-Evil: 1", "é=1", "a=" + "x" * 512])
def test_a_state_that_cannot_be_handed_on_is_dropped(tracestate):
    assert parse(PARENT.traceparent, tracestate) == TraceContext(PARENT.traceparent)


@given(st.text())
def test_any_header_can_be_read(text):
    context = parse(text, text)

    assert context is None or parse(context.traceparent, context.tracestate) == context


def test_without_a_collector_the_context_is_handed_on_as_it_came():
    silent = tracing()

    with silent.start("executor.Execute", parent=PARENT, attributes={"run.id": "r"}) as span:
        span.describe({"job.id": "j"})
        span.fail("it failed")

    assert not silent.enabled
    assert span.context == PARENT
    assert silent.start("alone").context is None
    silent.close()


async def test_spans_form_a_chain_from_the_caller_to_the_endpoint(collector):
    traces, run_id = exporting_to(collector), uuid.uuid4()

    enqueue = traces.start("queue.Enqueue", parent=PARENT)
    enqueue.end()
    dispatch = traces.start(
        "executor.Dispatch",
        parent=enqueue.context,
        attributes={"run.id": run_id, "run.attempt": 2, "job.endpoint": "https://u:hush@h/x"},
    )
    dispatch.describe({"api_key": "hush"})
    dispatch.fail("refused Bearer hush")
    dispatch.end()
    await asyncio.to_thread(traces.close)

    sent = spans(collector)
    first, second = sent["queue.Enqueue"], sent["executor.Dispatch"]
    assert collector.received[0][0] == "/v1/traces"
    assert first.trace_id.hex() == second.trace_id.hex() == TRACE
    assert first.parent_span_id.hex() == SPAN
    assert second.parent_span_id == first.span_id
    assert dispatch.context == TraceContext(
        f"00-{TRACE}-{second.span_id.hex()}-01", PARENT.tracestate
    )
    told = {it.key: it.value for it in second.attributes}
    assert told["run.id"].string_value == str(run_id)
    assert told["run.attempt"].int_value == 2
    assert second.status.message == "refused [REDACTED]"
    assert b"hush" not in second.SerializeToString()


async def test_a_span_without_a_parent_begins_a_trace(collector):
    traces = exporting_to(collector)

    with pytest.raises(ValueError, match="no"), traces.start("reaper.Reap") as span:
        raise ValueError("no")
    await asyncio.to_thread(traces.close)

    sent = spans(collector)["reaper.Reap"]
    assert sent.parent_span_id == b""
    assert sent.status.message == "ValueError: no"
    version, trace_id, span_id, flags = span.context.traceparent.split("-")
    assert (version, trace_id, span_id) == ("00", sent.trace_id.hex(), sent.span_id.hex())
    assert int(flags, 16) & 1  # sampled; that the id is random may stand beside it


async def test_a_caller_who_does_not_sample_is_not_traced(collector):
    traces = exporting_to(collector)

    with traces.start("queue.Enqueue", parent=TraceContext(f"00-{TRACE}-{SPAN}-00")) as span:
        pass
    await asyncio.to_thread(traces.close)

    assert spans(collector) == {}
    assert span.context.traceparent.startswith(f"00-{TRACE}-")
    assert span.context.traceparent.endswith("-00")


async def test_nothing_is_traced_behind_our_back(collector):
    traces = exporting_to(collector)
    await asyncio.to_thread(traces.close)

    assert not trace.get_tracer("other").start_span("x").is_recording()
