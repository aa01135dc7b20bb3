"""A lock that the kernel releases when its last holder is gone."""

import fcntl
import os
from pathlib import Path


class FileLock:
    """An exclusive lock on a file, shared with children that inherit it.

    `flock` belongs to the open file, not to the process: it lasts until
    everyone who inherited the descriptor has closed it or died.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    @property
    def descriptor(self) -> int:
        """The locked file, to hand to a child."""
        if self._descriptor is None:
            raise RuntimeError(f"{self._path} is not locked")
        return self._descriptor

    def acquire(self) -> bool:
        """Take the lock without waiting. False: someone else has it."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Close our copy. Children that inherited it still hold the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
