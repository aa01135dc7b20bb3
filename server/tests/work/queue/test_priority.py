"""Who goes first (behaviour 2.3, 2.5)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.queue.rules.priority import boosted, rank_micros, worth_micros

NOW = 1_767_607_200_000_000
HOUR = 3_600_000_000

# Births up to three days ago, often a whole number of hours apart, so that ties happen.
births = st.builds(
    lambda hours, micros: NOW - hours * HOUR - micros, st.integers(0, 72), st.integers(0, 3)
)
waiting = st.lists(st.tuples(births, st.integers(0, 10)), max_size=30)


def ranked(runs, *, aging):
    return sorted(runs, key=lambda run: (rank_micros(*run, aging=aging), run[0]))


@given(waiting)
def test_by_rank_is_by_priority_plus_age(runs):
    """One hour of age is one point; equal sums go by birth."""

    def as_specified(run):
        born, priority = run
        return -(priority + Fraction(NOW - born, HOUR)), born

    assert ranked(runs, aging=True) == sorted(runs, key=as_specified)


@given(waiting)
def test_without_aging_no_wait_outweighs_a_point(runs):
    assert ranked(runs, aging=False) == sorted(runs, key=lambda run: (-run[1], run[0]))


def test_ten_hours_of_waiting_beat_a_fresh_run_of_the_highest_priority():
    old, fresh = (NOW - 10 * HOUR - 1, 0), (NOW, 10)

    assert ranked([fresh, old], aging=True) == [old, fresh]
    assert ranked([old, fresh], aging=False) == [fresh, old]


@given(born=st.integers(0, 2**56 - 1), priority=st.integers(0, 10), aging=st.booleans())
def test_a_rank_is_what_the_statements_compute_and_fits_a_bigint(born, priority, aging):
    rank = rank_micros(born, priority, aging=aging)

    assert rank == born - priority * worth_micros(aging=aging)
    assert -(2**63) <= rank < 2**63


@pytest.mark.parametrize(
    ("priority", "boost", "expected"), [(0, 1, 1), (3, 0, 3), (9, 1, 10), (9, 5, 10), (10, 1, 10)]
)
def test_a_retry_is_boosted_up_to_ten(priority, boost, expected):
    assert boosted(priority, boost) == expected
