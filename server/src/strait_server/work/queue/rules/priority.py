"""Who goes first (behaviour 2.3, 2.5)."""

from typing import Final

HIGHEST: Final = 10

_HOUR: Final = 3_600_000_000
_LONGER_THAN_HISTORY: Final = 1 << 56  # microseconds from 1970 until the year 4253


def boosted(priority: int, boost: int) -> int:
    """Raise the priority of a run that is tried again, up to the highest there is."""
    return min(priority + boost, HIGHEST)


def worth_micros(*, aging: bool) -> int:
    """How many microseconds of waiting outweigh one point of priority.

    With aging it is an hour. Without, it is more than any run can have waited.
    """
    return _HOUR if aging else _LONGER_THAN_HISTORY


def rank_micros(ord_micros: int, priority: int, *, aging: bool) -> int:
    """Where a run stands in the queue: the lowest rank goes first, equal ranks by birth.

    `priority + age descending` needs the time of day and changes with it. But
    all ages grow together, so the order is that of the births, with each point
    of priority counted as an earlier birth. That is a number that never changes:
    an index can hold it, and it fits a bigint. `ord_micros` is the birth, in
    microseconds since 1970.
    """
    return ord_micros - priority * worth_micros(aging=aging)
