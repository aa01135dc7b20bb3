"""The user of the operating system that the server runs as."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from strait_server.base.db.embedded.errors import EmbeddedFailed

NOBODY: Final = "nobody"
_KEPT_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class Account(NamedTuple):
    """Who runs the server, and how a child becomes that user (None: it already is)."""

    uid: int
    gid: int
    client: str  # the user who starts it, and whom it lets in
    switch_user: int | None
    switch_group: int | None
    switch_groups: tuple[int, ...] | None

    def run(
        self,
        arguments: Sequence[str | Path],
        *,
        seconds: float,
        said: str = "",
        lock: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user, with `said` to read and the file `lock` held.

        Raises `EmbeddedFailed` with what it answered, also when it takes longer than `seconds`.
        """
        name = Path(arguments[0]).name
        try:
            finished = subprocess.run(  # noqa: S603  # our own binaries and paths, no shell
                arguments,
                input=said,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
                cwd="/",
                env=environment(),
                pass_fds=() if lock is None else (lock,),
                user=self.switch_user,
                group=self.switch_group,
                extra_groups=self.switch_groups,
            )
        except subprocess.TimeoutExpired as error:
            raise EmbeddedFailed(f"{name} did not finish within {seconds:g} seconds") from error
        except OSError as error:
            raise EmbeddedFailed(f"{name} cannot run: {error.strerror}") from error
        if finished.returncode != 0:
            raise failure(f"{name} failed", finished.stdout)
        return finished


def current() -> Account:
    """Choose our own user, or `nobody` for root, whom PostgreSQL refuses."""
    uid = os.geteuid()
    try:
        here = pwd.getpwuid(uid)
    except KeyError as error:
        raise EmbeddedFailed(
            f"user {uid} has no name on this machine, and PostgreSQL needs one: "
            "add it to /etc/passwd, or give a database url"
        ) from error
    if uid != 0:
        return Account(uid, here.pw_gid, here.pw_name, None, None, None)
    try:
        nobody = pwd.getpwnam(NOBODY)
    except KeyError as error:
        raise EmbeddedFailed(
            f"PostgreSQL does not run as root and this machine has no user {NOBODY!r}: "
            "start Strait as a normal user, or give a database url"
        ) from error
    return Account(nobody.pw_uid, nobody.pw_gid, here.pw_name, nobody.pw_uid, nobody.pw_gid, ())


def environment() -> dict[str, str]:
    """Pick what the server may know of our environment: no secrets, no PG* defaults."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def failure(what: str, output: str) -> EmbeddedFailed:
    """Make an error of the line that explains it, with the last dozen as problems."""
    lines = [line.strip() for line in output.splitlines() if line.strip()][-12:]
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "rror:" in line]
    reason = (telling or lines or ["it said nothing"])[-1]
    return EmbeddedFailed(f"{what}: {reason}", problems=lines)
