"""Folders and files that two users share without trusting each other."""

import os
import stat
import tempfile
from pathlib import Path

from strait_server.base.db.embedded.account import Account
from strait_server.base.db.embedded.errors import EmbeddedFailed


def all_may_pass(folder: Path) -> bool:
    """Whether any user can get to `folder`, or could once it is made."""
    existing = (place for place in (folder, *folder.parents) if place.exists())
    return all(place.stat().st_mode & stat.S_IXOTH for place in existing)


def make_passable(folder: Path) -> None:
    """Create a folder, and its parents, that others may enter but not list.

    What exists keeps its mode, whatever that is.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        place.chmod(0o711)


def make_private(folder: Path, account: Account) -> None:
    """Create a folder that only the server's user may enter.

    Raises `EmbeddedFailed` when something else, or somebody else's, has its name.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        if account.switch_user is not None:
            os.chown(folder, account.uid, account.gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise EmbeddedFailed(f"{folder} is not a private folder of user {account.uid}")


def write(path: Path, text: str, *, mode: int) -> None:
    """Write a file whole or not at all, never readable for more than `mode` allows."""
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    Path(unfinished).replace(path)


def sync(folder: Path) -> None:
    """Bring the names in a folder to the disk: a rename is not there before."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
