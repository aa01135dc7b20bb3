"""The folder where a server lives, and what lies in it."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from strait_server.base import ids
from strait_server.base.db.embedded.account import Account
from strait_server.base.db.embedded.errors import EmbeddedFailed
from strait_server.base.db.embedded.folders import all_may_pass, make_passable, make_private, write

SHARED_PLACE: Final = Path("/var/lib/strait")
# Predictable on purpose; `make_private` refuses what somebody else put there.
_SHORT_PLACE: Final = Path("/tmp")  # noqa: S108
# The kernel takes 107 bytes on Linux and 103 on macOS.
_SOCKET_PATH_BYTES: Final = 103
_LONGEST_SOCKET_NAME: Final = "/.s.PGSQL.65535"
_UNFIT_FOR_A_LIST_OF_FOLDERS: Final = frozenset(",\"'\\")


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """What the next start wants to know of the last."""

    port: int
    version: str


class Home(NamedTuple):
    """The folder of one server. `notice` says so when it is not the requested one."""

    folder: Path
    notice: str | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def unfinished_data(self) -> Path:
        return self.folder / "data.unfinished"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def password(self) -> Path:
        return self.folder / "password"

    @property
    def access_rules(self) -> Path:
        return self.folder / "pg_hba.conf"

    @property
    def user_names(self) -> Path:
        return self.folder / "pg_ident.conf"

    @property
    def owner_lock(self) -> Path:
        return self.folder / "owner.lock"

    @property
    def server_lock(self) -> Path:
        return self.folder / "server.lock"

    @property
    def memory(self) -> Path:
        return self.folder / "server.json"

    def remembered(self) -> Remembered | None:
        try:
            return msgspec.json.decode(self.memory.read_bytes(), type=Remembered)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def remember(self, remembered: Remembered) -> None:
        write(self.memory, msgspec.json.encode(remembered).decode(), mode=0o644)


def locate(directory: Path, account: Account) -> Home:
    """Say where the server asked for in `directory` lives: always the same answer.

    That is `directory` itself, unless the server's user is not ours and cannot
    get there. Data that exists is never left behind: either it is found, or
    this raises.
    """
    requested = Home(directory.resolve(), None)
    _check_owner(requested, account)
    if account.switch_user is None:
        return requested
    place = SHARED_PLACE / _short_name(requested.folder)
    notice = f"the database lives in {place}, because only root may enter {requested.folder}"
    elsewhere = Home(place, notice)
    if not all_may_pass(requested.folder):
        if requested.data.exists():
            raise EmbeddedFailed(
                f"the data in {requested.folder} is out of reach for the server's user: "
                f"let others enter its parent folders, or move it to {elsewhere.folder}"
            )
        return elsewhere
    return elsewhere if elsewhere.data.exists() else requested


def furnish(home: Home, account: Account) -> None:
    """Create the folder and the password in it, unless they are there."""
    if account.switch_user is None:
        home.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        make_passable(home.folder)
    if not home.password.exists():
        write(home.password, ids.token_hex(32), mode=0o600)


def socket_folder(home: Home) -> Path:
    """Say where the unix socket is: in the home, or in a short place if that name is long.

    The kernel takes about a hundred bytes.
    """
    folder = home.folder / "socket"
    length = len(os.fsencode(folder)) + len(_LONGEST_SOCKET_NAME)
    if length > _SOCKET_PATH_BYTES or _UNFIT_FOR_A_LIST_OF_FOLDERS & set(str(folder)):
        return _SHORT_PLACE / f"strait-{_short_name(home.folder)}"
    return folder


def open_socket_folder(home: Home, account: Account) -> Path:
    """Create the folder of the unix socket, for the server's user alone, and empty it.

    A dead server's files there name a process id, which PostgreSQL would trust
    whoever has that id today: call this when none of its processes is left.
    """
    folder = socket_folder(home)
    make_private(folder, account)
    for leftover in folder.glob(".s.PGSQL.*"):
        leftover.unlink(missing_ok=True)
    return folder


def close_socket_folder(home: Home) -> None:
    """Remove it, or leave it to the next start when something is still in it."""
    with suppress(OSError):
        socket_folder(home).rmdir()


def _check_owner(home: Home, account: Account) -> None:
    if home.data.exists() and (owner := home.data.stat().st_uid) != account.uid:
        raise EmbeddedFailed(
            f"the data in {home.folder} belongs to user {owner}, but the server would run as "
            f"user {account.uid}: start Strait as whoever started it first"
        )


def _short_name(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
