"""What the numbers depend on: the machine, its neighbours, versions, settings."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
from msgspec import Struct

from bench.postgres import SETTINGS as POSTGRESQL_SETTINGS
from bench.processes import ROOT
from bench.scale import Scale
from bench.stage import Stage
from bench.strait import SETTINGS as STRAIT_SETTINGS
from strait_server.base.clock import now

_LIBRARIES: Final = ("asyncpg", "uvloop", "uvicorn", "litestar", "httptools", "msgspec")
_LONGEST_WORDS: Final = 60


class Conditions(Struct, frozen=True, kw_only=True):
    """As they were when a bench began."""

    time: str
    commit: str
    scale: Scale
    cores: int
    processor: str
    memory_gb: int
    system: str
    load_average: tuple[float, float, float]
    versions: Mapping[str, str]
    postgresql_settings: Mapping[str, str]
    strait_settings: Mapping[str, str]


def find(stage: Stage) -> Conditions:
    return Conditions(
        time=now().isoformat(timespec="seconds"),
        commit=_said("git", "-C", str(ROOT), "describe", "--always", "--dirty"),
        scale=stage.scale,
        cores=os.cpu_count() or 0,
        processor=_processor(),
        memory_gb=round(psutil.virtual_memory().total / 1e9),
        system=platform.platform(),
        load_average=os.getloadavg(),
        versions=_versions(stage),
        postgresql_settings=dict(POSTGRESQL_SETTINGS),
        strait_settings=dict(STRAIT_SETTINGS),
    )


def _versions(stage: Stage) -> dict[str, str]:
    programs = {
        "endpoint": stage.endpoint.kind,
        "nginx": _said("nginx", "-v"),
        "node": _said("node", "--version"),
        "redis": _said("redis-server", "--version"),
    }
    return {
        "python": sys.version.split()[0],
        "postgresql": stage.postgres.version,
        **{name: said for name, said in programs.items() if said},
        **{name: version(name) for name in _LIBRARIES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def _said(program: str, *arguments: str) -> str:
    """Answer what a program says of itself, in one line; empty if it is not there."""
    found = shutil.which(program)
    if found is None:
        return ""
    done = subprocess.run(  # noqa: S603 - fixed commands
        [found, *arguments], capture_output=True, text=True, timeout=10, check=False
    )
    words = (done.stdout + done.stderr).strip()
    return words.splitlines()[0][:_LONGEST_WORDS] if words else ""
