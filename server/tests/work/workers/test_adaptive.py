"""How many runs a worker keeps in flight (behaviour 14.2, B.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.workers.model import Concurrency
from strait_server.work.workers.rules.adaptive import adapted


def looked(here, depth, utilisation):
    return adapted(here, depth=depth, utilisation=utilisation, lowest=5, highest=100)


@pytest.mark.parametrize(
    ("limit", "depth", "utilisation", "expected"),
    [
        (25, 60, 0.80, 32),
        (25, 51, 0.71, 32),
        (25, 50, 0.80, 25),
        (25, 60, 0.70, 25),
        (25, 150, 0.90, 38),
        (25, 1500, 0.90, 50),
        (90, 500, 0.90, 100),
    ],
)
def test_a_busy_worker_before_a_long_queue_takes_more(limit, depth, utilisation, expected):
    assert looked(Concurrency(limit=limit), depth, utilisation) == Concurrency(limit=expected)


def test_an_idle_worker_steps_down_at_every_second_look():
    here, limits = Concurrency(limit=100), [100]
    for _ in range(7):
        here = looked(looked(here, 0, 0.1), 0, 0.1)
        limits.append(here.limit)

    assert limits == [100, 67, 44, 29, 19, 12, 8, 5]


def test_one_idle_look_changes_nothing_yet():
    assert looked(Concurrency(limit=50), 0, 0.19) == Concurrency(limit=50, idle_probes=1)


@pytest.mark.parametrize(("depth", "utilisation"), [(1, 0.1), (0, 0.20), (0, 0.5), (200, 0.9)])
def test_any_other_look_in_between_starts_the_count_anew(depth, utilisation):
    here = Concurrency(limit=50, idle_probes=1)

    assert looked(here, depth, utilisation).idle_probes == 0


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 50, 150, 5000]), st.floats(0, 1)), max_size=50),
    st.integers(5, 100),
)
def test_the_limit_stays_within_its_bounds(looks, limit):
    here = Concurrency(limit=limit)
    for depth, utilisation in looks:
        here = looked(here, depth, utilisation)
        assert 5 <= here.limit <= 100
