"""Several processes on one machine, and threads that look after things."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Final

import structlog

SHARED_PORT: Final = "STRAIT_SHARED_PORT"
"""The variable that tells a child whose it is, and that its siblings listen where it does."""
_LOOK_SECONDS: Final = 0.2
_PASS_ON_SECONDS: Final = 0.05  # soon, so that two signals do not arrive as one told twice
_RESTART_SECONDS: Final = 1.0
_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_log = structlog.get_logger(__name__)


def every(seconds: float, look: Callable[[], object]) -> Callable[[], None]:
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

    A signal is passed on to all of them, as SIGTERM. The answer is 0 when all ended cleanly.
    Children that share a port are told our process id, so that they do not outlive us.
    """
    children = Children(command, {**environ, SHARED_PORT: str(os.getpid()) if shares_port else ""})
    for number in _ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup's wish
            signal.signal(number, children.hear)
    children.start(count)
    while not children.stopping:
        time.sleep(_LOOK_SECONDS)
        children.replace_dead()
    return children.wait()


class Children:
    """The processes under one supervisor.

    A signal is only noted when it comes, which may be while a process is being
    started, and passed on when it is known who there is. Once one was heard,
    nobody is started any more.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environ = dict(environ)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._heard = 0
        self._passed_on = 0
        self.stopping = False

    def start(self, count: int) -> None:
        for _ in range(count):
            if not self.stopping:
                self._processes.append(self._spawn())

    def hear(self, _number: int, _frame: FrameType | None) -> None:
        """Be the handler of a signal."""
        self.stopping = True
        self._heard += 1

    def replace_dead(self) -> None:
        for index, process in enumerate(self._processes):
            if process.poll() is not None and not self.stopping:
                _log.error("process died", pid=process.pid, exit_code=process.returncode)
                time.sleep(_RESTART_SECONDS)
                if not self.stopping:
                    self._processes[index] = self._spawn()

    def wait(self) -> int:
        """Pass on what is heard until all have ended. Answers the worst exit code."""
        while any(process.poll() is None for process in self._processes):
            self._pass_on()
            time.sleep(_PASS_ON_SECONDS)
        return max((abs(process.returncode) for process in self._processes), default=0)

    def _pass_on(self) -> None:
        while self._passed_on < self._heard:
            self._passed_on += 1
            for process in self._processes:
                process.send_signal(signal.SIGTERM)

    def _spawn(self) -> subprocess.Popen[bytes]:
        # A group of its own: a terminal's Ctrl-C, which goes to a whole group, would
        # reach it a second time through us, and a second signal ends it at once.
        return subprocess.Popen(  # noqa: S603 - our own command
            self._command, env=self._environ, process_group=0
        )
