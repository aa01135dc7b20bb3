"""How many runs to claim at once."""

from collections.abc import Sequence

_ENOUGH = 4


def claim_size(
    *, free: int, concurrency: int, backlog: bool, sizes: Sequence[int], at_most: int
) -> int:
    """Return the largest size that fits the free places; 0 says to wait for more of them (T10).

    While there is a backlog, small claims are put off until a quarter of the
    places is free: runs are finishing anyway, and a claim costs the same for
    one run as for many.
    """
    if backlog and free * _ENOUGH < concurrency:
        return 0
    return max((size for size in sizes if size <= min(free, at_most)), default=0)
