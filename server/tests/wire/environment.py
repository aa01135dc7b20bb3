"""The environment of the published client: it imports as `strait`, as ours does, so it lives alone.

`python server/tests/wire/environment.py` makes it ahead of the tests, which
otherwise do so when they first need it. It is made again when its requirements change.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = ROOT / "requirements" / "client.txt"
PLACE = ROOT / ".venv-client"
STAMP = PLACE / "requirements.txt"  # what is installed there, word for word
PYTHON = PLACE / "bin" / "python"
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")


def prepare() -> Path:
    """Answer the Python of the environment, which is made if it is not there or is outdated."""
    wanted = REQUIREMENTS.read_bytes()
    if not STAMP.is_file() or STAMP.read_bytes() != wanted:
        shutil.rmtree(PLACE, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(PLACE))
        _run(str(PYTHON), *PIP, "-r", str(REQUIREMENTS))
        STAMP.write_bytes(wanted)
    return PYTHON


def _run(*command: str) -> None:
    subprocess.run(command, check=True)  # noqa: S603 - our own command


if __name__ == "__main__":
    prepare()
