"""How many runs a worker keeps in flight (behaviour 14.2).

Up at once when the queue is long and the worker is busy, the faster the longer
the queue; down by a third when it was nearly idle twice in a row.
"""

from typing import Final

from strait_server.work.workers.model import Concurrency

_BUSY: Final = 0.70
_IDLE: Final = 0.20
_IDLE_PROBES: Final = 2
_LONG_QUEUE: Final = 100
_VERY_LONG_QUEUE: Final = 1000


def adapted(
    here: Concurrency, *, depth: int, utilisation: float, lowest: int, highest: int
) -> Concurrency:
    """Look at the queue once, and say how many runs to keep in flight.

    `depth` counts what this worker may claim, not the whole queue. `utilisation`
    is the share of the limit that is in use.
    """
    limit = here.limit
    if depth > 2 * limit and utilisation > _BUSY:
        return Concurrency(limit=min(limit + _share(limit, _growth(depth)), highest))
    if depth == 0 and utilisation < _IDLE:
        if here.idle_probes + 1 < _IDLE_PROBES:
            return Concurrency(limit=limit, idle_probes=here.idle_probes + 1)
        return Concurrency(limit=max(limit - _share(limit, 33), lowest))
    return Concurrency(limit=limit)


def _growth(depth: int) -> int:
    """Grow by this many per cent: the more is waiting, the more."""
    if depth > _VERY_LONG_QUEUE:
        return 100
    return 50 if depth > _LONG_QUEUE else 25


def _share(limit: int, per_cent: int) -> int:
    """Round up, at least to 1; in whole numbers, so that 33 % of 100 is 33."""
    return max(1, -(-limit * per_cent // 100))
