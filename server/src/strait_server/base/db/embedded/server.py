"""Start, share, restart and stop the server of a folder."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from strait_server.base.clock import monotonic
from strait_server.base.db.embedded import account, binaries, cluster, home, postmaster
from strait_server.base.db.embedded.errors import EmbeddedFailed
from strait_server.base.db.embedded.lock import FileLock

# Long, because a server that crashed with much unchecked WAL replays it first.
_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 20.0
_HURRY_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.005
_PORT_TRIES: Final = 3
_NO_SETTINGS: Final[Mapping[str, str]] = {}


class EmbeddedServer:
    """A running PostgreSQL of our own, seen from one process.

    Several processes may share it. The one that started it, or took over an
    orphan, owns it: its `stop` ends the server, the others' do nothing. Methods
    block, and are for one thread at a time.
    """

    def __init__(
        self,
        place: home.Home,
        user: account.Account,
        *,
        settings: Mapping[str, str],
        log: Callable[[str], None],
    ) -> None:
        self._home = place
        self._user = user
        self._settings = settings
        self._log = log
        self._owner = FileLock(place.owner_lock)
        self._process: subprocess.Popen[bytes] | None = None
        self._running: postmaster.Running | None = None

    @property
    def directory(self) -> Path:
        """Where data, password and log really lie."""
        return self._home.folder

    @property
    def owned(self) -> bool:
        """Whether our `stop` will end the server."""
        return self._owner.held

    @property
    def version(self) -> str:
        remembered = self._home.remembered()
        return remembered.version if remembered else str(cluster.major(self._home))

    @property
    def pid(self) -> int:
        """The postmaster."""
        return self._last_seen.pid

    @property
    def port(self) -> int:
        return self._last_seen.port

    @property
    def dsn(self) -> str:
        """Over the unix socket: for the user who started the server, no password."""
        sockets = quote(str(self._last_seen.sockets), safe="")
        return f"postgresql://{cluster.ROLE}@/{cluster.DATABASE}?host={sockets}&port={self.port}"

    def stop(self) -> None:
        """Let commits finish and end the server, if it is ours. Safe to repeat."""
        if self.owned:
            try:
                self._shut_down()
                home.close_socket_folder(self._home)
            finally:
                self._owner.release()

    def restart(self) -> None:
        """End the server, unless it is dead already, and start it again.

        It keeps its port if nobody took it meanwhile: read the dsn again.
        """
        if not self.owned:
            raise EmbeddedFailed("another process started this server: only that one restarts it")
        self._shut_down()
        self.run()

    def revive(self) -> bool:
        """Start the server again if it died under its owner, who asks every other second.

        PostgreSQL survives the death of any process of its own but the first.
        """
        if not self.owned or self._is_alive():
            return False
        self._log("PostgreSQL died and is started again")
        self.run()
        return True

    def kill(self) -> None:
        """Crash the server, as a test of those who use it; `restart` recovers it."""
        self._signal(signal.SIGKILL)
        if not self._is_gone(_STOP_SECONDS):
            raise postmaster.last_words(self._home.log, "postgres survived SIGKILL")

    def run(self) -> None:
        """Return when the server takes connections: find it, or start it."""
        try:
            self._find_or_launch(monotonic() + _START_SECONDS)
        except BaseException as error:
            # A server that is only slow goes on, and the next start finds it.
            if self._process is not None and not isinstance(error, EmbeddedFailed):
                self._process.send_signal(signal.SIGINT)
            self._owner.release()
            raise

    @property
    def _last_seen(self) -> postmaster.Running:
        if self._running is None:
            raise EmbeddedFailed("the embedded PostgreSQL is not running")
        return self._running

    def _find_or_launch(self, deadline: float) -> None:
        """Only the owner launches, and only when no process of an earlier server is left.

        Everyone else waits for a server: the owner may be creating it, or
        replaying what a crash left behind.
        """
        server = FileLock(self._home.server_lock)
        while monotonic() < deadline:
            owned = self._owner.acquire()
            self._running = postmaster.find(self._home.data)
            if self._running is not None and self._running.ready:
                if owned and self._process is None:
                    self._log("took over the PostgreSQL that a killed process left running")
                return
            if owned and self._running is None and server.acquire():
                try:
                    self._launch(server, deadline)
                finally:
                    server.release()
                return
            time.sleep(_POLL_SECONDS)
        raise postmaster.last_words(
            self._home.log, f"postgres was not ready within {_START_SECONDS:g} seconds"
        )

    def _launch(self, lock: FileLock, deadline: float) -> None:
        """Start a postmaster; nobody else can, we hold both locks."""
        major = cluster.major(self._home)
        found = binaries.find(self._user, major=major, cache=home.SHARED_PLACE)
        if major is None:
            self._log(f"creating a PostgreSQL {found.version} database in {self.directory}")
            cluster.create(self._home, self._user, found, lock=lock.descriptor)
        # No process of an earlier server is left, the lock says so; this file
        # may name one all the same (see `home.open_socket_folder`).
        (self._home.data / "postmaster.pid").unlink(missing_ok=True)
        remembered = self._home.remembered()
        preferred = remembered.port if remembered else None
        for tries_left in reversed(range(_PORT_TRIES)):
            port = postmaster.free_port(preferred)
            try:
                self._spawn(found, port, lock, deadline)
            except EmbeddedFailed:
                # Somebody may take a port between our look and the server's.
                if tries_left and not postmaster.port_is_free(port):
                    continue
                raise
            self._home.remember(home.Remembered(port=port, version=found.version))
            return

    def _spawn(self, found: binaries.Binaries, port: int, lock: FileLock, deadline: float) -> None:
        if self._process is not None:
            self._process.wait(_HURRY_SECONDS)  # it is dead, the lock says so: bury it
        sockets = home.open_socket_folder(self._home, self._user)
        self._process = postmaster.spawn(
            found.postgres,
            cluster.arguments(self._home, self._user, sockets, port, self._settings),
            account=self._user,
            log=self._home.log,
            lock=lock.descriptor,
        )
        while monotonic() < deadline:
            self._running = postmaster.find(self._home.data)
            if self._running is not None and self._running.ready:
                return
            if self._process.poll() is not None:
                break
            time.sleep(_POLL_SECONDS)
        raise postmaster.last_words(self._home.log, "postgres did not start")

    def _shut_down(self) -> None:
        """Ask politely, then firmly, then not at all. No way loses a commit."""
        for request, seconds in (
            (signal.SIGINT, _STOP_SECONDS),
            (signal.SIGQUIT, _HURRY_SECONDS),
            (signal.SIGKILL, _HURRY_SECONDS),
        ):
            self._signal(request)
            if self._is_gone(seconds):
                self._running = None
                return
        raise postmaster.last_words(self._home.log, "postgres did not stop")

    def _is_alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return postmaster.find(self._home.data) is not None

    def _signal(self, request: signal.Signals) -> None:
        """Signal the postmaster, if there is one, and nobody who has its old id."""
        if self._process is not None:
            self._process.send_signal(request)
        elif (running := postmaster.find(self._home.data)) is not None:
            os.kill(running.pid, request)

    def _is_gone(self, seconds: float) -> bool:
        """Wait until no process of the server is left. False: some still is."""
        deadline = monotonic() + seconds
        server = FileLock(self._home.server_lock)
        while monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                self._process = None
            if (
                self._process is None
                and postmaster.find(self._home.data) is None
                and server.acquire()
            ):
                server.release()
                return True
            time.sleep(_POLL_SECONDS)
        return False


def start(
    directory: Path, *, log: Callable[[str], None], settings: Mapping[str, str] = _NO_SETTINGS
) -> EmbeddedServer:
    """Create, start, take over or share the server of `directory`.

    `settings` override the server's configuration when it has to be started.
    Blocks for a second the first time and for a tenth later. Raises
    `EmbeddedFailed` with the server's last words.
    """
    user = account.current()
    try:
        place = home.locate(directory, user)
        home.furnish(place, user)
        if place.notice:
            log(place.notice)
        server = EmbeddedServer(place, user, settings=settings, log=log)
        server.run()
    except OSError as error:
        raise EmbeddedFailed(f"cannot use {directory}: {error}") from error
    return server
