"""From where on to look in the queue.

Behind the last claim nothing is left but dead index entries; while a long
transaction holds them alive, a scan from the start reads them all again at
every claim. So each priority has a floor: the lowest entry of the last claim.
An insert that commits late may carry an older place, but not one older than
its transaction: the floor never comes closer to now than a second. Whatever
is older still (a long transaction, a clock set back) is found by sweeps.
"""

from collections.abc import Iterable, Sequence
from typing import Final

PRIORITIES: Final = 11
_LAG_MICROS: Final = 1_000_000
_SWEEP_MICROS: Final = 60_000_000
_SWEEP_SECONDS: Final = 5.0
_FULL_SWEEP_SECONDS: Final = 60.0


class Watermark:
    """The floors of one claimer. Seconds are of the process's monotonic clock."""

    def __init__(self) -> None:
        self._floors = [0] * PRIORITIES
        self._now_micros = 0
        self._swept_at = 0.0
        self._fully_swept_at = 0.0

    def floors(self, *, at: float) -> Sequence[int]:
        """One floor per priority, lowered when a sweep is due."""
        if at - self._fully_swept_at >= _FULL_SWEEP_SECONDS:
            self._fully_swept_at = self._swept_at = at
            return [0] * PRIORITIES
        if at - self._swept_at >= _SWEEP_SECONDS:
            self._swept_at = at
            back = self._now_micros - _SWEEP_MICROS
            return [min(floor, back) for floor in self._floors]
        return self._floors

    def claimed(self, places: Iterable[tuple[int, int]], *, now_micros: int) -> None:
        """Learn from a claim: the priority and place of each run, and the database's clock."""
        lowest: dict[int, int] = {}
        for priority, place in places:
            lowest[priority] = min(place, lowest.get(priority, place))
        safe = now_micros - _LAG_MICROS
        self._now_micros = now_micros
        for priority, place in lowest.items():
            self._floors[priority] = min(place, safe)
