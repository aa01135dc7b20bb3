"""When a worker that is away is given up (behaviour 4.6, 8.4 #1, #2)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.workers.model import Absent
from strait_server.work.workers.rules.absence import Away, after_look, is_gone

BEATEN = datetime(2026, 1, 1, tzinfo=UTC)
LOST = Absent(id=UUID(int=1), alive_until=BEATEN)
BACK_AND_LOST_AGAIN = Absent(id=UUID(int=1), alive_until=BEATEN + timedelta(seconds=1))
LONG_UP = 10_000.0
WITHIN = 6.0


def looked(*looks):
    """How long `LOST` is away after looks of (seconds passed, uptime, same session)."""
    away = after_look({}, [LOST], passed=0.0, uptime=1.0, same_session=False)
    for passed, uptime, same in looks:
        away = after_look(away, [LOST], passed=passed, uptime=uptime, same_session=same)
    return away[LOST]


@pytest.mark.parametrize(
    ("away", "uptime", "gone"),
    [
        (Away(here=0.9, up=0.9), LONG_UP, False),
        (Away(here=1.0, up=1.0), LONG_UP, True),
        (Away(here=0.9, up=5.9), LONG_UP, False),
        (Away(here=5.9, up=5.9), 5.9, False),
        (Away(here=0.0, up=6.0), 0.5, True),
    ],
)
def test_after_a_start_of_postgresql_a_worker_gets_the_time_it_needs(away, uptime, gone):
    assert is_gone(away, uptime=uptime, return_within=WITHIN) is gone


def test_whoever_is_seen_away_for_the_first_time_has_only_just_left():
    assert looked() == Away(here=0.0, up=0.0)


def test_a_server_that_crashes_again_and_again_starves_nobody():
    """It is up for a second at a time, and away for as long."""
    away = looked(*[(2.0, 1.0, False)] * 5)
    assert not is_gone(away, uptime=1.0, return_within=WITHIN)

    away = looked(*[(2.0, 1.0, False)] * 6)
    assert is_gone(away, uptime=1.0, return_within=WITHIN)


def test_the_time_that_postgresql_was_away_counts_against_nobody():
    assert looked((600.0, 0.3, False)) == Away(here=0.0, up=0.3)


def test_a_session_that_was_lost_for_unknown_reasons_counts_against_nobody():
    """Who may not see PostgreSQL's processes cannot tell that it has started over."""
    assert looked((0.6, LONG_UP, True), (5.0, LONG_UP, False)) == Away(here=0.0, up=0.6)


def test_a_sign_of_life_makes_everything_void():
    away = after_look(
        {LOST: Away(here=5.0, up=5.0)},
        [BACK_AND_LOST_AGAIN],
        passed=0.6,
        uptime=LONG_UP,
        same_session=True,
    )

    assert away == {BACK_AND_LOST_AGAIN: Away(here=0.0, up=0.0)}


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 100), st.booleans()), min_size=1, max_size=30
    )
)
def test_nobody_is_away_for_longer_than_it_was_looked_at(looks):
    away = looked(*looks)

    assert away.here <= sum(passed for passed, _, _ in looks) + 1e-9
    assert away.up <= sum(passed for passed, _, _ in looks) + 1e-9
