"""Several processes on one machine, and threads that look after things."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Final

import structlog

_LOOK_SECONDS: Final = 0.2
_RESTART_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)


def every(seconds: float, look: Callable[[], None]) -> Callable[[], None]:
    """Call `look` again and again beside the rest, until the answer is called."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(seconds):
            try:
                look()
            except Exception:  # noqa: BLE001 - it may be beyond help; say so and go on
                _log.exception("watch failed")

    thread = threading.Thread(target=watch, name="keeper", daemon=True)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join()

    return end


def supervise(
    command: Sequence[str], environ: Mapping[str, str], *, count: int, shares_port: bool
) -> int:
    """Run `count` processes of the command until a signal, and start again those that die.

    A signal is passed on to all of them. The answer is 0 when all ended cleanly.
    """
    children = Children(command, {**environ, "STRAIT_SHARED_PORT": "1" if shares_port else ""})
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, children.stop)
    children.start(count)
    while not children.stopping:
        time.sleep(_LOOK_SECONDS)
        children.replace_dead()
    return children.wait()


class Children:
    """The processes under one supervisor."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environ = dict(environ)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.stopping = False

    def start(self, count: int) -> None:
        self._processes += [self._spawn() for _ in range(count)]

    def stop(self, number: int, _: FrameType | None) -> None:
        self.stopping = True
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(number)

    def replace_dead(self) -> None:
        for index, process in enumerate(self._processes):
            if process.poll() is not None and not self.stopping:
                _log.error("process died", pid=process.pid, exit_code=process.returncode)
                time.sleep(_RESTART_SECONDS)
                self._processes[index] = self._spawn()

    def wait(self) -> int:
        return max((abs(process.wait()) for process in self._processes), default=0)

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env=self._environ)  # noqa: S603 - our own command
