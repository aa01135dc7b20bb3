"""How long a run may wait (behaviour 2.9; T7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.intake.rules.expiry import ttl_seconds


@pytest.mark.parametrize(
    ("requested", "job_ttl", "default_ttl", "expected"),
    [
        (10, 20, 30, 10),
        (None, 20, 30, 20),
        (0, 20, 30, 20),
        (None, 0, 30, 30),
        (None, None, 30, 30),
        (None, None, 0, 360),
        (0, 0, 0, 360),
    ],
)
def test_the_first_that_is_set_wins(requested, job_ttl, default_ttl, expected):
    ttl = ttl_seconds(requested=requested, job_ttl=job_ttl, default_ttl=default_ttl, timeout=300)

    assert ttl == expected


@given(
    requested=st.none() | st.integers(),
    job_ttl=st.none() | st.integers(),
    default_ttl=st.integers(),
    timeout=st.integers(1, 86_400),
)
def test_every_run_gets_an_expiry_in_the_future(requested, job_ttl, default_ttl, timeout):
    """T7: one rule, whoever triggered the run and whatever is missing."""
    ttl = ttl_seconds(
        requested=requested, job_ttl=job_ttl, default_ttl=default_ttl, timeout=timeout
    )

    assert ttl > 0
