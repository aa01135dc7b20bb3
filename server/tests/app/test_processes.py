"""Several processes under one supervisor (design 6), and threads that look after things."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from strait_server.app.processes import Children, every

DEADLINE = 30.0
# Hears what a terminal says also when the tests run behind a shell's `&`.
SUPERVISOR = """
import signal, sys
from strait_server.app.processes import supervise

signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.exit(supervise(sys.argv[2:], {}, count=int(sys.argv[1]), shares_port=False))
"""
# Says that it is there, waits for a signal, and ends badly if there is a second one.
PATIENT = """
import signal, sys

signals = {signal.SIGINT, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print("ready", flush=True)
signal.sigwait(signals)
print("told", flush=True)
sys.exit(7 if signal.sigtimedwait(signals, 1.0) else 0)
"""


@pytest.fixture
def supervise():
    """Start supervisors of their own process groups, which end with the test."""
    started = []

    def _supervise(count, *command):
        started.append(
            subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-c", SUPERVISOR, str(count), *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield _supervise
    for each in started:
        each.kill()
        each.wait()
        each.stdout.close()


def hears(process, text, *, times=1):
    """Read what a process says until it has said it so many times."""
    lines = []
    while sum(text in line for line in lines) < times:
        line = process.stdout.readline()
        assert line, f"{text!r} was not said {times} times: {lines}"
        lines.append(line)


def test_a_signal_is_passed_on_to_every_process(supervise):
    supervisor = supervise(3, sys.executable, "-c", PATIENT)
    hears(supervisor, "ready", times=3)

    supervisor.send_signal(signal.SIGTERM)

    assert supervisor.wait(DEADLINE) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_a_terminal_tells_the_whole_group_is_heard_once(supervise, number):
    supervisor = supervise(1, sys.executable, "-c", PATIENT)
    hears(supervisor, "ready")

    os.killpg(supervisor.pid, number)

    assert supervisor.wait(DEADLINE) == 0


def test_a_second_signal_is_passed_on_as_well(supervise):
    supervisor = supervise(1, sys.executable, "-c", PATIENT)
    hears(supervisor, "ready")

    supervisor.send_signal(signal.SIGTERM)
    hears(supervisor, "told")
    supervisor.send_signal(signal.SIGTERM)

    assert supervisor.wait(DEADLINE) == 7


def test_a_process_that_dies_is_started_again(supervise):
    supervisor = supervise(1, "sh", "-c", "echo ready; exit 3")

    hears(supervisor, "ready", times=2)


def test_a_signal_while_a_process_is_about_to_be_started_again_ends_everything(supervise, tmp_path):
    mark = tmp_path / "died"
    supervisor = supervise(
        1, "sh", "-c", f"test -e {mark} && exec sleep 120; echo > {mark}; exit 3"
    )
    hears(supervisor, "process died")

    supervisor.send_signal(signal.SIGTERM)

    assert supervisor.wait(DEADLINE) == 3


def test_after_a_signal_nobody_is_started():
    children = Children(["sleep", "120"], {})

    children.hear(signal.SIGTERM, None)
    children.start(2)

    assert children.wait() == 0


def test_a_watch_goes_on_after_a_failure_and_ends_when_told():
    looks = threading.Semaphore(0)

    def look():
        looks.release()
        raise OSError

    end = every(0.001, look)

    assert looks.acquire(timeout=DEADLINE)
    assert looks.acquire(timeout=DEADLINE)
    end()
    assert not [it for it in threading.enumerate() if it.name == "keeper"]
