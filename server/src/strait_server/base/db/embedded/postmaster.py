"""The first process of a PostgreSQL server, and what it says about itself.

`postmaster.pid` names a process, a port and a socket, but it outlives a crash
and process ids are reused. Therefore it is believed only while somebody
listens on its socket: the listener is the postmaster and no child of it.
"""

import os
import socket
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from strait_server.base.db.embedded.account import Account, environment, failure
from strait_server.base.db.embedded.errors import EmbeddedFailed

_PROBE_SECONDS: Final = 1.0
_LOG_BYTES: Final = 10_000_000
_TAIL_BYTES: Final = 4096


class Running(NamedTuple):
    """A postmaster that listens; `ready` when it takes connections."""

    pid: int
    port: int
    sockets: Path
    ready: bool


def find(data: Path) -> Running | None:
    """Look for the live postmaster of a data folder. None: none that listens."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        # pid, data folder, start time, port, socket folder, address, shared memory, status
        pid, port, sockets, status = int(lines[0]), int(lines[3]), Path(lines[4]), lines[7].strip()
    except (FileNotFoundError, IndexError, ValueError):
        return None  # no server, or one that is still writing its first lines
    if not _listens(sockets / f".s.PGSQL.{port}"):
        return None
    return Running(pid, port, sockets, ready=status == "ready")


def spawn(
    postgres: Path, arguments: Sequence[str], *, account: Account, log: Path, lock: int
) -> subprocess.Popen[bytes]:
    """Start a postmaster that outlives us and holds the file `lock`.

    It leads a session of its own, so that Ctrl-C in the terminal reaches us
    alone and we can stop it when our own work is done.
    """
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    log.touch(mode=0o600)
    with log.open("ab") as output:
        try:
            return subprocess.Popen(  # noqa: S603  # our own binaries and paths, no shell
                [postgres, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=environment(),
                start_new_session=True,
                pass_fds=(lock,),
                user=account.switch_user,
                group=account.switch_group,
                extra_groups=account.switch_groups,
            )
        except OSError as error:
            raise EmbeddedFailed(f"postgres cannot run: {error.strerror}") from error


def last_words(log: Path, what: str) -> EmbeddedFailed:
    """Make an error with the end of the server's log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            return failure(what, file.read().decode(errors="replace"))
    except FileNotFoundError:
        return EmbeddedFailed(what)


def free_port(preferred: int | None) -> int:
    """`preferred` if nobody has it, else any free one."""
    if preferred is not None and port_is_free(preferred):
        return preferred
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _listens(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
