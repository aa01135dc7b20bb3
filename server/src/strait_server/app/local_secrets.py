"""Secrets that are made up for a server with its own embedded database.

Whoever brings a database also brings the secrets, since several machines must
agree on them. An embedded database has one machine: its secrets are made at
the first start and kept beside it, for the owner's eyes only.
"""

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from strait_server.base import ids

_FILE: Final = "secrets.toml"
_NAMES: Final = ("INTERNAL_SECRET", "JWT_SIGNING_KEY", "ENCRYPTION_KEY")
_BYTES: Final = 32


def kept_in(folder: Path) -> Mapping[str, str]:
    """Return the secrets of this folder, by variable; made at the first call."""
    path = folder / _FILE
    if not path.exists():
        _create(path)
    return tomllib.loads(path.read_text(encoding="utf-8"))


def made_up() -> Mapping[str, str]:
    """Return new secrets, by variable. Nobody keeps them."""
    return {name: ids.token_hex(_BYTES) for name in _NAMES}


def _create(path: Path) -> None:
    lines = [f'{name} = "{secret}"\n' for name, secret in made_up().items()]
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(descriptor)
    with suppress(FileExistsError):  # another process was faster: its secrets count
        path.hardlink_to(draft)
    draft.unlink()
