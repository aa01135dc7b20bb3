"""The data of a server: how it is made, who may connect, how it is tuned."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from strait_server.base.db.embedded.account import Account
from strait_server.base.db.embedded.binaries import Binaries
from strait_server.base.db.embedded.errors import EmbeddedFailed
from strait_server.base.db.embedded.folders import make_private, sync, write
from strait_server.base.db.embedded.home import Home

ROLE: Final = "strait"
DATABASE: Final = "strait"
_CREATE_SECONDS: Final = 120.0

SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "listen_addresses": "127.0.0.1",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "wal_level": "logical",  # change data capture reads the WAL
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "fsync": "on",
        "synchronous_commit": "on",  # a 2xx means committed
        "jit": "off",  # compiling costs more than our short statements
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
    }
)


def major(home: Home) -> int | None:
    """Read which major version wrote the data. None: there is none yet."""
    try:
        return int((home.data / "PG_VERSION").read_text().strip())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise EmbeddedFailed(f"{home.data} is not the data of a PostgreSQL server") from error


def create(home: Home, account: Account, binaries: Binaries, *, lock: int) -> None:
    """Make an empty database. It gets its name when it is complete and on disk.

    The programs hold the file `lock`: if we are killed, the next starter waits
    until they are done instead of working beside them.
    """
    shutil.rmtree(home.unfinished_data, ignore_errors=True)
    make_private(home.unfinished_data, account)
    account.run(
        [
            binaries.initdb,
            *("--pgdata", home.unfinished_data, "--username", ROLE),
            *("--encoding=UTF8", "--no-locale", "--auth=reject"),
        ],
        seconds=_CREATE_SECONDS,
        lock=lock,
    )
    account.run(
        [
            *(binaries.postgres, "--single", "-D", home.unfinished_data),
            *("-c", "exit_on_error=on", "postgres"),
        ],
        seconds=_CREATE_SECONDS,
        lock=lock,
        said=(
            f"alter role {ROLE} password '{home.password.read_text()}'\n"
            f"create database {DATABASE}\n"
        ),
    )
    home.unfinished_data.rename(home.data)
    sync(home.folder)


def arguments(
    home: Home, account: Account, sockets: Path, port: int, extra: Mapping[str, str]
) -> list[str]:
    """Write the access rules and return the command line of the server.

    The rules lie outside the data folder: as root we write nothing where the
    server's user could have put a link.
    """
    write(
        home.access_rules,
        f"local all all peer map={ROLE}\nhost all all 127.0.0.1/32 scram-sha-256\n"
        f"local replication all peer map={ROLE}\n"
        "host replication all 127.0.0.1/32 scram-sha-256\n",
        mode=0o644,
    )
    write(home.user_names, f'{ROLE} "{account.client}" {ROLE}\n', mode=0o644)
    settings = {
        **SETTINGS,
        "port": str(port),
        "unix_socket_directories": str(sockets),
        "hba_file": str(home.access_rules),
        "ident_file": str(home.user_names),
        **extra,
    }
    return ["-D", str(home.data), *(f"--{name}={value}" for name, value in settings.items())]
