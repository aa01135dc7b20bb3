"""Counters, gauges and histograms that cost the hot path next to nothing.

The library's own take a lock and look up a child for each observation. These
are plain numbers in dicts and lists, changed by the event loop's thread
alone, and become the library's families only when somebody scrapes. Each call
takes many observations, because the hot path works in batches.

Label values follow the number, in the order in which the labels were named:
`transitions.add(5, "queued", "dequeued")`.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

Labels = tuple[str, ...]
_MANY: Final = 100


class Instrument(Collector):
    """A metric with its name, help and labels. One without labels is there from the start."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self.name: Final = name
        self.help: Final = text
        self.labels: Final = labels

    def _check(self, labels: Labels) -> None:
        if len(labels) != len(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not values {labels}")


class Counter(Instrument):
    """What happened, how often."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        super().__init__(name, text, *labels)
        self._value_by_labels: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, count: float, *labels: str) -> None:
        try:
            self._value_by_labels[labels] += count
        except KeyError:
            self._check(labels)
            self._value_by_labels[labels] = count

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in self._value_by_labels.items():
            family.add_metric(labels, value)
        yield family


class Gauge(Instrument):
    """How much there is now."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        super().__init__(name, text, *labels)
        self._value_by_labels: dict[Labels, float] = {} if labels else {(): 0}
        self._read: Callable[[], float] | None = None

    def set(self, value: float, *labels: str) -> None:
        self._check(labels)
        self._value_by_labels[labels] = value

    def add(self, change: float, *labels: str) -> None:
        self.set(self._value_by_labels.get(labels, 0) + change, *labels)

    def replace(self, value_by_labels: Mapping[Labels, float]) -> None:
        """Forget what was known and take this: what is not in it is gone."""
        for labels in value_by_labels:
            self._check(labels)
        self._value_by_labels = dict(value_by_labels)

    def follow(self, read: Callable[[], float]) -> None:
        """Ask for the value whenever somebody scrapes, instead of being told."""
        self._check(())
        self._read = read

    def collect(self) -> Iterator[Metric]:
        if self._read is not None:
            self.set(self._read())
        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in self._value_by_labels.items():
            family.add_metric(labels, value)
        yield family


class _Series:
    """One histogram: how many observations fell into each bucket, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.total = 0.0


class Histogram(Instrument):
    """How the sizes of something are distributed."""

    def __init__(self, name: str, text: str, *labels: str, bounds: Sequence[float]) -> None:
        super().__init__(name, text, *labels)
        self.bounds: Final = tuple(bounds)
        self._series_by_labels: dict[Labels, _Series] = {}
        self._noted: list[float] = []
        if not labels:
            self._new_series(())

    def observe(self, values: Sequence[float], *labels: str) -> None:
        series = self._series_by_labels.get(labels) or self._new_series(labels)
        counts, bounds = series.counts, self.bounds
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        series.total += sum(values)

    def note(self, value: float) -> None:
        """Observe one value, which is counted with others. For histograms without labels."""
        self._noted.append(value)
        if len(self._noted) >= _MANY:
            self._count_noted()

    def collect(self) -> Iterator[Metric]:
        if self._noted:
            self._count_noted()
        family = HistogramMetricFamily(self.name, self.help, labels=self.labels)
        names = [*map(str, map(float, self.bounds)), "+Inf"]
        for labels, series in self._series_by_labels.items():
            buckets = list(zip(names, accumulate(series.counts), strict=True))
            family.add_metric(labels, buckets, sum_value=series.total)
        yield family

    def _count_noted(self) -> None:
        noted, self._noted = self._noted, []
        self.observe(noted)

    def _new_series(self, labels: Labels) -> _Series:
        self._check(labels)
        series = _Series(len(self.bounds) + 1)
        self._series_by_labels[labels] = series
        return series
