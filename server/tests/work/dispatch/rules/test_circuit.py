"""The circuit before an endpoint (behaviour 14.1; T34)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.dispatch.model import Allow, Circuit, CircuitState, Probe, Wait
from strait_server.work.dispatch.rules.circuit import admit, after_failure, after_success, probing

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=300)

OPEN = Circuit(state=CircuitState.OPEN, failures=5, open_until=NOW + MINUTE)
PROBED = probing(OPEN, until=NOW + MINUTE + LEASE)


def asked(circuit, *, after=timedelta()):
    return admit(circuit, now=NOW + after, probe_for=LEASE)


def failed(circuit, times=1, *, after=timedelta()):
    for _ in range(times):
        circuit = after_failure(circuit, now=NOW + after)
    return circuit


@pytest.mark.parametrize("times", range(5))
def test_a_closed_circuit_lets_everything_through(times):
    assert asked(failed(Circuit(), times)) == Allow()


def test_the_fifth_failure_in_a_row_opens_it_for_a_minute():
    assert failed(Circuit(), 5) == OPEN
    assert asked(OPEN) == Wait(NOW + MINUTE)
    assert asked(OPEN, after=timedelta(seconds=59)) == Wait(NOW + MINUTE)


def test_a_success_in_between_starts_the_count_anew():
    failed(Circuit(), 4)

    assert asked(failed(after_success(), 4)) == Allow()


def test_late_failures_do_not_prolong_the_minute():
    assert failed(OPEN, 3, after=timedelta(seconds=50)) == OPEN


def test_after_the_minute_there_is_a_probe():
    assert asked(OPEN, after=MINUTE) == Probe(NOW + MINUTE + LEASE)


def test_while_a_probe_is_under_way_the_others_wait():
    assert asked(PROBED, after=MINUTE) == Wait(NOW + MINUTE + LEASE)


def test_a_probe_that_is_never_heard_of_again_makes_room_for_another():
    now = NOW + MINUTE + LEASE

    assert asked(PROBED, after=MINUTE + LEASE) == Probe(now + LEASE)


def test_a_failed_probe_opens_the_circuit_again():
    circuit = failed(PROBED, after=2 * MINUTE)

    assert asked(circuit, after=2 * MINUTE) == Wait(NOW + 3 * MINUTE)


@pytest.mark.parametrize("circuit", [OPEN, PROBED], ids=["open", "half open"])
def test_a_success_anywhere_closes_it(circuit):
    assert asked(circuit) != Allow()
    assert asked(after_success()) == Allow()


@given(st.lists(st.tuples(st.integers(0, 49), st.sampled_from(["look", "send"])), max_size=300))
def test_of_fifty_claimers_one_probes(steps):
    """T34: whoever finds the state changed since they looked does not send."""
    state, seen, probes = OPEN, {}, 0
    for claimer, step in steps:
        if step == "look":
            seen[claimer] = state
            continue
        known = seen.pop(claimer, state)
        verdict = asked(known, after=MINUTE)
        assert verdict != Allow()
        if isinstance(verdict, Probe) and known == state:
            state, probes = probing(state, until=verdict.until), probes + 1

    assert probes <= 1


def test_of_fifty_that_looked_at_once_one_probes():
    """T34."""
    verdicts = [asked(OPEN, after=MINUTE) for _ in range(50)]
    state, sent = OPEN, 0

    for verdict in verdicts:
        assert isinstance(verdict, Probe)
        if state == OPEN:
            state, sent = probing(state, until=verdict.until), sent + 1

    assert sent == 1
    assert isinstance(asked(state, after=MINUTE), Wait)
