"""How many runs to claim at once, if any."""

from collections.abc import Sequence

_ENOUGH = 8


def claim_size(
    *, free: int, concurrency: int, backlog: bool, sizes: Sequence[int], at_most: int
) -> int:
    """Return the largest size that fits the free places; 0 says to wait for more of them (T10).

    While there is a backlog, small claims are put off until an eighth of the
    places is free: a claim costs the same for one run as for many. Where runs
    take their time, the caller says that there is none. And then a claim fills
    half of the places, so that the other half is at work while it is under way.
    """
    if backlog and free * _ENOUGH < concurrency:
        return 0
    if backlog:
        at_most = min(at_most, max(1, concurrency // 2))
    return max((size for size in sizes if size <= min(free, at_most)), default=0)


def is_short_of_memory(resident: int, total: int, *, threshold_pct: int) -> bool:
    """Say whether so much memory is in use that nothing should be claimed; 0 is no threshold."""
    return threshold_pct > 0 and resident * 100 > total * threshold_pct
