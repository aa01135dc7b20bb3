"""Where the time of an attempt went, in milliseconds (behaviour 3.9)."""

from strait_server.work.queue.model import ExecutionTrace


def of_attempt(
    *,
    waited_ms: int,
    claimed: float,
    started: float,
    finished: float,
    connect_ms: int = 0,
    ttfb_ms: int = 0,
    transfer_ms: int = 0,
) -> ExecutionTrace:
    """Put the phases together. What did not happen is 0, and nothing is negative (T41d).

    Instants are seconds of one monotonic clock. How long the run had waited before it
    was claimed the database measured, so that two clocks are never compared.
    """
    dequeue_ms = _milliseconds(started - claimed)
    return ExecutionTrace(
        queue_wait_ms=max(waited_ms, 0) + dequeue_ms,
        dequeue_ms=dequeue_ms,
        connect_ms=connect_ms,
        ttfb_ms=ttfb_ms,
        transfer_ms=transfer_ms,
        total_ms=_milliseconds(finished - started),
        dispatch_ms=connect_ms + ttfb_ms + transfer_ms,
    )


def _milliseconds(seconds: float) -> int:
    """Round, but let everything that took time show: at least 1."""
    return max(1, round(seconds * 1000)) if seconds > 0 else 0
