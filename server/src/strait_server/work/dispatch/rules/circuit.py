"""The circuit before an endpoint (behaviour 14.1).

Closed, it lets everything through and counts failures in a row. The fifth
opens it, and for a minute nothing is sent. Then it is half open: one probe
goes through, and its fate decides. If the prober never reports, its time runs
out and another may try.

These are decisions only. The caller writes a new state on condition that the
old one still stands; so of fifty that are told to probe, one does (T34).
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from strait_server.work.dispatch.model import Allow, Circuit, CircuitState, Gate, Probe, Wait

FAILURES_TO_OPEN: Final = 5
OPEN_FOR: Final = timedelta(seconds=60)


def admit(circuit: Circuit, *, now: datetime, probe_for: timedelta) -> Gate:
    """Decide whether a run may be sent. `probe_for` is how long the prober may take."""
    match circuit.state:
        case CircuitState.CLOSED:
            return Allow()
        case CircuitState.OPEN:
            until = circuit.open_until
        case CircuitState.HALF_OPEN:
            until = circuit.probe_until
    if until is not None and now < until:
        return Wait(until)
    return Probe(now + probe_for)


def probing(circuit: Circuit, *, until: datetime) -> Circuit:
    """Note that a probe is under way."""
    return replace(circuit, state=CircuitState.HALF_OPEN, probe_until=until)


def after_success() -> Circuit:
    """One success, wherever it comes from, and all is forgotten."""
    return Circuit()


def after_failure(circuit: Circuit, *, now: datetime) -> Circuit:
    """Count a failure. Late ones from before the circuit opened do not prolong it."""
    if circuit.state is CircuitState.OPEN:
        return circuit
    failures = circuit.failures + 1
    if circuit.state is CircuitState.CLOSED and failures < FAILURES_TO_OPEN:
        return replace(circuit, failures=failures)
    return Circuit(state=CircuitState.OPEN, failures=failures, open_until=now + OPEN_FOR)
