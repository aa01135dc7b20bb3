"""Who took how much CPU between two moments."""

import os
from collections.abc import Mapping
from time import process_time
from typing import Final

from msgspec import Struct

from bench.processes import cpu_seconds, machine_busy_seconds
from strait_server.base.clock import monotonic

_MICROS: Final = 1_000_000


class Spent(Struct, frozen=True):
    """What a measurement took. `neighbours`: cores that others on the machine kept busy."""

    seconds: float
    cpu: Mapping[str, float]
    load_cpu: float
    neighbours: float

    def micros_per(self, runs: int) -> dict[str, float]:
        """CPU per run of each process group, in microseconds."""
        return {name: taken * _MICROS / runs for name, taken in self.cpu.items()} if runs else {}

    def total_micros_per(self, runs: int) -> float:
        return sum(self.micros_per(runs).values())


class Meter:
    """Starts to count when it is made. The load generator, this process, is counted apart."""

    def __init__(self, pid_by_name: Mapping[str, int]) -> None:
        self._pids = pid_by_name
        self._began = monotonic()
        self._cpu = self._taken()
        self._own = process_time()
        self._machine = machine_busy_seconds()

    def spent(self) -> Spent:
        seconds = monotonic() - self._began
        cpu = {name: taken - self._cpu[name] for name, taken in self._taken().items()}
        own = process_time() - self._own
        others = machine_busy_seconds() - self._machine - sum(cpu.values()) - own
        return Spent(seconds, cpu, own, max(0.0, others / seconds))

    def _taken(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._pids.items() if pid != os.getpid()}
