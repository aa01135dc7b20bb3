"""Who goes first (behaviour 2.3)."""

from typing import Final

_HOUR: Final = 3_600_000_000
_LONGER_THAN_HISTORY: Final = 1 << 56  # microseconds from 1970 until the year 4253


def worth_micros(*, aging: bool) -> int:
    """How many microseconds of waiting outweigh one point of priority.

    With aging it is an hour. Without, it is more than any run can have waited.

    `priority + age descending` needs the time of day and changes with it. But
    all ages grow together, so the order is that of the births, with each point
    of priority counted as an earlier birth: `ord - priority * worth`, lowest
    first. That is a number that never changes, and it fits a bigint.
    """
    return _HOUR if aging else _LONGER_THAN_HISTORY
