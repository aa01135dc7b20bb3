"""How much is measured: everything in half an hour, or a glance in a few minutes."""

from typing import Final

from msgspec import Struct


class Scale(Struct, frozen=True, kw_only=True):
    """Sizes and times of all measurements. A quick one shows that they work, not what is true."""

    name: str
    rounds: int
    """How often candidates take turns; medians are of as many."""
    warm_seconds: float
    seconds: float
    """One turn of a candidate under load."""
    sustained_seconds: float
    window_seconds: int
    close_rounds: int
    """The same for contenders of a drain that are not slow: a few per cent decide."""
    drain_runs: int
    slow_drain_runs: int
    """For contenders that would need minutes for the others' number."""
    drain_seconds: float
    """When to stop watching a contender and go by what it did."""
    small_backlog: int
    large_backlog: int
    blocked_runs: int
    latency_seconds: float


FULL: Final = Scale(
    name="full",
    rounds=3,
    warm_seconds=3,
    seconds=10,
    sustained_seconds=60,
    window_seconds=10,
    close_rounds=5,
    drain_runs=30_000,
    slow_drain_runs=6_000,
    drain_seconds=12,
    small_backlog=10_000,
    large_backlog=1_000_000,
    blocked_runs=100_000,
    latency_seconds=30,
)
QUICK: Final = Scale(
    name="quick",
    rounds=1,
    warm_seconds=1,
    seconds=3,
    sustained_seconds=6,
    window_seconds=1,
    close_rounds=1,
    drain_runs=5_000,
    slow_drain_runs=500,
    drain_seconds=4,
    small_backlog=2_000,
    large_backlog=20_000,
    blocked_runs=2_000,
    latency_seconds=4,
)
