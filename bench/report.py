"""What was measured, as a table for people and as JSON for comparisons."""

import math
import os
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import median
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from bench.conditions import Conditions
from bench.processes import ROOT
from strait_server.base.clock import now

RESULTS: Final = ROOT / "bench" / "results"
_QUIET_CORES: Final = 0.25
_WIDTH: Final = 64


class Side(StrEnum):
    """On which side of the bound it is well."""

    AT_LEAST = "≥"
    AT_MOST = "≤"


class Verdict(StrEnum):
    """What a figure says of its bound."""

    MET = "met"
    MET_BY_CPU = "met by CPU; the machine was busy"
    NOT_BY_CPU = "met, but not by CPU; the machine was busy"
    MISSED = "missed"
    UNDECIDED = "missed, but the machine was busy"
    NONE = ""


class Bound(Struct, frozen=True):
    """What a figure must reach, or must not pass."""

    side: Side
    value: float

    def holds(self, value: float) -> bool:
        return value >= self.value if self.side is Side.AT_LEAST else value <= self.value


class Figure(Struct, frozen=True, kw_only=True):
    """One number. `neighbours` are cores that others took, where that can spoil it.

    `by_cpu` is what CPU times say of the same matter: it decides on a busy machine.
    """

    what: str
    value: float
    unit: str = ""
    bound: Bound | None = None
    neighbours: float = 0.0
    by_cpu: float | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.bound is None or math.isnan(self.value):
            return Verdict.NONE
        met = self.bound.holds(self.value)
        by_cpu = self.by_cpu is not None and self.bound.holds(self.by_cpu)
        if self.neighbours <= _QUIET_CORES:
            return Verdict.MET if met else Verdict.MISSED
        if met:
            return Verdict.MET if by_cpu or self.by_cpu is None else Verdict.NOT_BY_CPU
        return Verdict.MET_BY_CPU if by_cpu else Verdict.UNDECIDED


class Turn(Protocol):
    """One candidate's turn."""

    @property
    def rate(self) -> float: ...
    @property
    def micros(self) -> float: ...


class Section(Struct, frozen=True):
    """What one measurement found, and all it saw on the way."""

    name: str
    figures: Sequence[Figure]
    record: Mapping[str, object]


def at_least(value: float) -> Bound:
    return Bound(Side.AT_LEAST, value)


def at_most(value: float) -> Bound:
    return Bound(Side.AT_MOST, value)


def rates(turns: Sequence[Turn]) -> str:
    """Show the rate of each turn, and what a run took in the median."""
    each = ", ".join(f"{turn.rate:,.0f}" for turn in turns)
    return f"{each} runs/s ({median(turn.micros for turn in turns):.0f} µs)"


def split(micros: Mapping[str, float]) -> str:
    """How CPU per run divides among processes."""
    return " · ".join(f"{name} {taken:.0f}" for name, taken in micros.items())


def progress(line: str) -> None:
    """Say on stderr what is being done: a bench takes its time."""
    print(line, file=sys.stderr, flush=True)


def show_conditions(found: Conditions) -> None:
    _say(f"Strait bench, {found.scale.name}, {found.time}, commit {found.commit}")
    _say(f"{found.cores} × {found.processor}, {found.memory_gb} GB, {found.system}")
    _say(_pairs(found.versions))
    _say(f"PostgreSQL: {_pairs(found.postgresql_settings)}")
    _say(f"Strait: {_pairs(found.strait_settings)}")
    _say(f"load average before: {_loads(found.load_average)}")


def show(section: Section) -> None:
    _say(f"\n{section.name}")
    for figure in section.figures:
        bound = f"{figure.bound.side} {figure.bound.value:g}" if figure.bound else ""
        value = f"{_number(figure.value)} {figure.unit}".strip()
        _say(f"  {figure.what:<{_WIDTH}} {value:>14}  {bound:<7}  {figure.verdict}".rstrip())
        if figure.by_cpu is not None:
            by_cpu = _number(figure.by_cpu)
            _say(f"    by CPU {by_cpu}; neighbours took {figure.neighbours:.2f} cores")
        if figure.note:
            _say(f"    {figure.note}")


def show_failure(name: str, error: BaseException) -> None:
    _say(f"\n{name}\n  failed: {type(error).__name__}: {error}")
    for note in getattr(error, "__notes__", ()):
        _say(note)


def finish(found: Conditions, sections: Sequence[Section]) -> None:
    """Say how the machine is now, and write everything down."""
    after = os.getloadavg()
    _say(f"\nload average after: {_loads(after)}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{now():%Y%m%d-%H%M%S}.json"
    whole = {
        "conditions": found,
        "load_average_after": after,
        "sections": [
            {"name": section.name, "figures": _told(section.figures), "record": section.record}
            for section in sections
        ],
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1))
    _say(f"written to {path.relative_to(ROOT)}")


def _told(figures: Sequence[Figure]) -> list[dict[str, object]]:
    return [{**msgspec.structs.asdict(figure), "verdict": figure.verdict} for figure in figures]


def _say(line: str) -> None:
    print(line, flush=True)


def _number(value: float) -> str:
    if math.isnan(value):
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _loads(loads: tuple[float, float, float]) -> str:
    return " ".join(f"{load:.2f}" for load in loads)


def _pairs(settings: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
