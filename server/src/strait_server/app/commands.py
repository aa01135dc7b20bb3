"""What an operator can ask of the server itself: serve, dev, migrate, config check.

The command line calls these; they speak to no other server.
"""

import logging
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final

import asyncpg
import structlog
import uvloop
from msgspec import Struct, structs

from strait_server.app import everything, local_secrets, processes, starter
from strait_server.app.first_connection import first_connection
from strait_server.app.processes import SHARED_PORT
from strait_server.base.db import scope
from strait_server.base.db.embedded import server as embedded
from strait_server.base.db.migrations import runner
from strait_server.base.db.migrations.errors import MigrationLocked
from strait_server.base.db.migrations.files import load_migrations
from strait_server.base.errors import Invalid, StraitError, Unavailable
from strait_server.base.settings import TABLE, MigrationMode, Settings, describe, warnings
from strait_server.base.settings.sources import SettingsError, find_file, read
from strait_server.base.telemetry import logs

_log = structlog.get_logger(__name__)
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_EXIT_CODES: Final = ((Invalid, 3), (MigrationLocked, 9), (Unavailable, 12))  # else 1
_LOOK_SECONDS: Final = 1.0
_FOLDER_MODE: Final = 0o711  # the embedded server's user must be able to pass through


class ConfigReport(Struct, frozen=True):
    """The effective settings, secrets masked, and what is wrong with them."""

    rows: list[dict[str, str]]
    problems: list[str]


def serve(
    mode: str | None = None,
    host: str | None = None,
    port: int | None = None,
    database_url: str | None = None,
    processes: int = 1,
) -> int:
    """Serve until a signal says otherwise. Answers the exit code: 0 after a clean drain.

    Raises `Invalid` for settings that cannot be, all of them named, before
    anything is started, and for an address that cannot be had.
    """
    flags = {"MODE": mode, "HOST": host, "DATABASE_URL": database_url}
    given = {name: value for name, value in flags.items() if value is not None}
    if port is not None:
        given["PORT"] = str(port)
    return _serve({**os.environ, **given}, processes=processes)


def dev(port: int | None = None) -> int:
    """Serve for a developer: readable logs, private endpoints allowed, a key printed once."""
    environ = {"LOG_FORMAT": "text", "ALLOW_PRIVATE_ENDPOINTS": "true", **os.environ}
    if port is not None:
        environ["PORT"] = str(port)
    return _serve(environ, processes=1, prepared=starter.greet)


def migrate(database_url: str | None, check: bool) -> runner.Prepared:  # noqa: FBT001 - as the flag
    """Bring the schema up to date, or with `check` only say what it lacks.

    No secret is needed, and log lines go to standard error: the answer is data.
    """
    environ = dict(os.environ)
    if database_url is not None:
        environ["DATABASE_URL"] = database_url
    unused = local_secrets.made_up()
    with _database(environ, secrets=unused, log_to=sys.stderr.buffer) as settings:
        mode = MigrationMode.MANUAL if check else MigrationMode.AUTO
        return uvloop.run(_prepare(settings, mode))


def config_check() -> ConfigReport:
    """Return the effective settings of this environment, and every problem with them."""
    try:
        settings = _load(os.environ)
    except Invalid as error:
        return ConfigReport([], list(error.problems))
    rows = [
        {"name": line.name, "value": line.value, "source": str(line.source), "help": line.help}
        for line in describe(settings)
    ]
    return ConfigReport(rows, [])


def exit_code(error: StraitError) -> int:
    """Tell with which code a command ends that this stopped; the command line lists them all."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)


def _serve(
    environ: Mapping[str, str],
    *,
    processes: int,
    prepared: Callable[[Settings], None] | None = None,
) -> int:
    supervisor = int(environ.get(SHARED_PORT) or 0) or None
    shared = processes > 1 or supervisor is not None
    with _database(environ) as settings, everything.holding(settings, shared=shared) as listening:
        uvloop.run(_prepare_schema(settings))
        if prepared is not None:
            prepared(settings)
        if processes > 1:
            return _many(settings, environ, processes)
        return uvloop.run(everything.run(settings, listening, supervisor=supervisor))


def _many(settings: Settings, environ: Mapping[str, str], count: int) -> int:
    """Run children that share our database, our secrets and the schema we have prepared."""
    given = {
        **environ,
        "DATABASE_URL": settings.database_url,
        "INTERNAL_SECRET": settings.internal_secret,
        "JWT_SIGNING_KEY": settings.jwt_signing_key,
        "MIGRATION_MODE": MigrationMode.MANUAL,
    }
    if settings.encryption_key is not None:
        given["ENCRYPTION_KEY"] = settings.encryption_key.hex()
        given.pop("SECRET_ENCRYPTION_KEY", None)  # the same key, perhaps in another spelling
    return processes.supervise(
        [sys.executable, "-m", "strait_server"], given, count=count, shares_port=True
    )


@contextmanager
def _database(
    environ: Mapping[str, str],
    *,
    secrets: Mapping[str, str] = _NONE,
    log_to: BinaryIO | None = None,
) -> Generator[Settings]:
    """Return the settings and a database: the one they name, or an embedded one meanwhile."""
    settings = _load(environ, secrets)
    logs.configure(settings.log_level, settings.log_format, file=log_to)
    for warning in warnings(settings):
        _log.warning(warning)
    if settings.database_url:
        yield settings
        return
    server = embedded.start(settings.data_dir / "postgres", log=_say)
    stop_looking = processes.every(_LOOK_SECONDS, server.revive)
    try:
        yield structs.replace(settings, database_url=server.dsn)
    finally:
        stop_looking()
        server.stop()


def _load(environ: Mapping[str, str], secrets: Mapping[str, str] = _NONE) -> Settings:
    """Read the settings, or raise `Invalid` with everything that is wrong with them.

    `secrets` stand in for those that nobody has given.
    """
    try:
        path = find_file(environ, Path.cwd())
        file = path.read_bytes() if path else None
        return Settings.load(environ, file, defaults={**secrets, **_local(environ, file)})
    except (SettingsError, OSError) as error:
        problems = error.problems if isinstance(error, SettingsError) else [str(error)]
        raise Invalid("the configuration is not valid", problems=problems) from error


def _local(environ: Mapping[str, str], file: bytes | None) -> Mapping[str, str]:
    """Make up secrets where the database is embedded and this machine is all there is."""
    given = read(TABLE, environ, file, {}).values
    folder = given["data_dir"]
    if given.get("database_url") != "" or not isinstance(folder, Path):
        return {}
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    return local_secrets.kept_in(folder)


async def _prepare_schema(settings: Settings) -> None:
    done = await _prepare(settings, settings.migration_mode)
    if done.applied:
        _log.info("schema migrated", applied=len(done.applied), newest=done.applied[-1])
    if done.pending:
        _log.warning("migrations are pending", pending=len(done.pending), next=done.pending[0])


async def _prepare(settings: Settings, mode: MigrationMode) -> runner.Prepared:
    """Do to the schema what the mode says, or raise what stands in the way."""
    async with first_connection(settings.database_url) as raw:
        done = await runner.prepare(
            raw,
            load_migrations(),
            mode=mode,
            lock_seconds=settings.migration_lock_timeout.total_seconds(),
        )
        await _see_to_the_wall(raw, may_write=mode is MigrationMode.AUTO)
    return done


async def _see_to_the_wall(raw: asyncpg.Connection, *, may_write: bool) -> None:
    """Complete the wall between projects, or warn that it is missing (ADR 0006).

    Raises `Invalid` for a user from whom the policies hide every row.
    """
    wall = await (scope.complete(raw) if may_write else scope.standing(raw))
    if wall.hidden_by:
        raise Invalid(
            f"DATABASE_URL: the user {wall.login} does not own the tables, and row-level security"
            f" hides their rows; connect as {wall.hidden_by}, or"
            f" `grant {wall.hidden_by} to {wall.login}`"
        )
    if wall.has_policies and not wall.is_whole:
        _log.warning(
            "requests are not held to their project by the database: run as a superuser"
            f" `{wall.remedy}`, then `strait migrate`, and start again"
        )


def _say(line: str) -> None:
    logging.getLogger("strait").info(line)
