"""Bring the contenders in, pinned, into environments of their own. Once; later starts find them."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

HERE: Final = Path(__file__).parent
ENVIRONMENTS: Final = HERE / ".env"
_STAMP: Final = ".installed"
_LONGEST_SECONDS: Final = 600
_OLDEST_NODE: Final = 20


class _Package(Struct, frozen=True):
    dependencies: dict[str, str]


class NotInstalled(Exception):
    """A contender cannot run here. The message says why."""


def python(requirements: str) -> Path:
    """Answer where the programs of the environment made from that file are."""
    listed = HERE / f"{requirements}.txt"
    folder = ENVIRONMENTS / requirements

    def install() -> None:
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        pip += ["--disable-pip-version-check", "--require-hashes", "--requirement", str(listed)]
        _run(pip)

    _once(folder, listed, install)
    return folder / "bin"


def node() -> Path:
    """Answer where it is, its packages installed beside the contenders."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        raise NotInstalled("node and npm are not installed")
    version = _run([program, "--version"])
    if int(version.lstrip("v").split(".")[0]) < _OLDEST_NODE:
        raise NotInstalled(f"node {version} is older than {_OLDEST_NODE}")

    def install() -> None:
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"])

    _once(HERE / "node_modules", HERE / "package-lock.json", install)
    return Path(program).parent


def versions() -> dict[str, str]:
    """Answer what is pinned, by name."""
    listed = [line for path in HERE.glob("*.in") for line in path.read_text().splitlines()]
    pinned = dict(re.findall(r"^([a-z-]+)[^=]*==(\S+)$", "\n".join(listed), re.MULTILINE))
    packages = msgspec.json.decode((HERE / "package.json").read_bytes(), type=_Package)
    return {**pinned, **packages.dependencies}


def _once(folder: Path, listed: Path, install: Callable[[], None]) -> None:
    """Install unless what is there came from this very list."""
    wanted = hashlib.sha256(listed.read_bytes()).hexdigest()
    stamp = folder / _STAMP
    if stamp.exists() and stamp.read_text() == wanted:
        return
    install()
    stamp.write_text(wanted)


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            cwd=HERE,
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise NotInstalled(f"{command[0]} failed: {error.stderr[-500:]}") from error
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"{command[0]} took too long") from error
    return done.stdout.strip()
