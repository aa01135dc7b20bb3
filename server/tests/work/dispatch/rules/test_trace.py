"""Where the time of an attempt went (behaviour 3.9; T41d)."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.dispatch.rules import trace
from strait_server.work.queue.model import ExecutionTrace

seconds = st.floats(-1e5, 1e5)


def test_the_phases_of_an_attempt():
    moments = {"waited_ms": 11, "claimed": 100.0, "started": 100.001, "finished": 100.098}

    assert trace.of_attempt(**moments, connect_ms=3, ttfb_ms=80, transfer_ms=1) == ExecutionTrace(
        queue_wait_ms=12,
        dequeue_ms=1,
        connect_ms=3,
        ttfb_ms=80,
        transfer_ms=1,
        total_ms=97,
        dispatch_ms=84,
    )


def test_what_took_time_took_at_least_a_millisecond():
    traced = trace.of_attempt(waited_ms=0, claimed=100.0, started=100.00001, finished=100.00002)

    assert (traced.queue_wait_ms, traced.dequeue_ms, traced.total_ms) == (1, 1, 1)
    assert (traced.connect_ms, traced.ttfb_ms, traced.transfer_ms, traced.dispatch_ms) == (0,) * 4


@given(waited_ms=st.integers(), claimed=seconds, started=seconds, finished=seconds)
def test_no_phase_is_negative(**moments):
    """T41d: whatever the order in which the moments were noted."""
    assert all(phase >= 0 for phase in msgspec.structs.astuple(trace.of_attempt(**moments)))
