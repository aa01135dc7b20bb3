"""The command line as a process: exit codes, streams, terminals, start-up (cli 1, 2, 3, 4)."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from edge import Says

import strait_cli

SOURCE = Path(strait_cli.__file__).parent.parent
COMMAND = [sys.executable, "-W", "error", "-m", "strait_cli"]
# Hears Ctrl-C also when the tests run behind a shell's `&`, where children would ignore it.
INTERRUPTIBLE = """
import runpy, signal

signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("strait_cli", run_name="__main__", alter_sys=True)
"""
JOB = {"id": "j1", "slug": "resize", "name": "Resize", "enabled": True}


@pytest.fixture
def world(home):
    return {**os.environ, "PYTHONPATH": str(SOURCE), "TERM": "xterm"}


def run(world, *args, **changes):
    return subprocess.run(
        [*COMMAND, *args],
        env=world | changes,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def run_on_a_terminal(world, *args, typed=""):
    """Run with standard input and output on a terminal; answer code, output, errors."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *args], env=world, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b"".join(iter(lambda: _read(ours), b""))
        errors = process.stderr.read()
    os.close(ours)
    return process.returncode, shown.decode(), errors


def _read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux ends a terminal whose other side is gone with an error
        return b""


def test_help_is_on_standard_output_and_ends_well(world):
    ended = run(world, "--help")

    assert ended.returncode == 0
    assert "Usage: strait" in ended.stdout
    assert ended.stderr == ""


def test_an_error_for_programs_is_a_document_on_standard_output(world, edge):
    said = {"error": "job not found", "code": "not_found", "request_id": "req-1"}
    edge.on("GET", "/v1/jobs/nope", Says(404, said))

    ended = run(world, "jobs", "get", "nope", STRAIT_SERVER=edge.url, STRAIT_API_KEY="k")

    assert ended.returncode == 5
    document = json.loads(ended.stdout)
    assert (document["error"], document["code"], document["exit_code"]) == (
        "job not found",
        "not_found",
        5,
    )
    assert (document["status"], document["request_id"]) == (404, "req-1")
    assert ended.stderr == ""


def test_an_error_for_people_is_a_sentence_and_a_hint_on_standard_error(world, edge):
    edge.on("GET", "/v1/jobs", Says(400, {"error": "validation failed", "details": ["cron: no"]}))

    ended = run(world, "jobs", "list", "-o", "table", STRAIT_SERVER=edge.url, STRAIT_API_KEY="k")

    assert (ended.returncode, ended.stdout) == (7, "")
    error, detail, hint = ended.stderr.splitlines()
    assert error == "error: validation failed"
    assert detail == "  - cron: no"
    assert hint.startswith("hint: ")


def test_without_a_key_it_ends_with_4(world):
    assert run(world, "jobs", "list").returncode == 4


def test_without_a_server_it_ends_with_12(world):
    ended = run(world, "health", "--server", "http://127.0.0.1:9")

    assert ended.returncode == 12
    assert json.loads(ended.stdout)["code"] == "unreachable"


def test_on_a_terminal_people_get_a_coloured_table(world, edge):
    runs = [{"id": "r1", "job_slug": "resize", "status": "failed"}]
    edge.on("GET", "/v1/runs", Says(200, {"data": runs}))
    world |= {"STRAIT_SERVER": edge.url, "STRAIT_API_KEY": "k"}

    code, shown, errors = run_on_a_terminal(world, "runs", "list")

    assert (code, errors) == (0, "")
    assert "\x1b[31mfailed" in shown
    assert "STATUS" in shown

    _, plain, _ = run_on_a_terminal(world | {"NO_COLOR": "1"}, "runs", "list")
    assert "\x1b[31m" not in plain
    assert "STATUS" in plain


@pytest.mark.parametrize(("typed", "code", "calls"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0)])
def test_on_a_terminal_a_deletion_is_asked_about(world, edge, typed, code, calls):
    edge.on("DELETE", "/v1/jobs/resize", Says(204))
    world |= {"STRAIT_SERVER": edge.url, "STRAIT_API_KEY": "k"}

    ended, _, errors = run_on_a_terminal(world, "jobs", "delete", "resize", typed=typed)

    assert (ended, len(edge.asked)) == (code, calls)
    assert "Delete job resize?" in errors


def test_in_ci_nobody_is_asked_even_on_a_terminal(world, edge):
    code, _, errors = run_on_a_terminal(world | {"CI": "true"}, "jobs", "delete", "resize")

    assert code == 3
    assert "--yes" in errors


def test_a_reader_that_leaves_early_is_no_error(world, edge):
    edge.on("GET", "/v1/jobs", Says(200, {"data": [JOB] * 5000}))
    world |= {"STRAIT_SERVER": edge.url, "STRAIT_API_KEY": "k"}

    with subprocess.Popen(
        [*COMMAND, "jobs", "list", "-o", "jsonl"],
        env=world,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert json.loads(process.stdout.readline()) == JOB
        process.stdout.close()
        errors = process.stderr.read()

    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("args", [("jobs", "list", "-o", "table"), ("--help",), ("jobs", "--help")])
def test_a_reader_that_was_never_there_is_no_error(world, edge, args):
    edge.on("GET", "/v1/jobs", Says(200, {"data": [JOB]}))
    world |= {"STRAIT_SERVER": edge.url, "STRAIT_API_KEY": "k"}

    with subprocess.Popen(
        [*COMMAND, *args], env=world, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        errors = process.stderr.read()

    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("chosen", ["json", "table"])
def test_a_full_disk_is_said(world, edge, chosen):
    edge.on("GET", "/v1/jobs", Says(200, {"data": [JOB]}))
    world |= {"STRAIT_SERVER": edge.url, "STRAIT_API_KEY": "k"}

    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, "jobs", "list", "-o", chosen],
            env=world,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr == "error: cannot write the answer: No space left on device\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_crash(world, edge, closed):
    edge.on("GET", "/v1/jobs", Says(200, {"data": [JOB]}))
    world |= {"STRAIT_SERVER": edge.url, "STRAIT_API_KEY": "k"}

    ended = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", *COMMAND, "jobs", "list", "-q"],  # noqa: S607  whichever bash the machine has
        env=world,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == ("" if closed == ">&-" else "j1\n")


def test_what_an_encoding_lacks_is_escaped(world, edge):
    """Also a lone surrogate, which a job may report and no encoding has."""
    name = "\u00dc\U0001d11e\ud800"
    edge.on("GET", "/v1/jobs/resize", Says(200, JOB | {"name": name}))
    asked = ("jobs", "get", "resize", "-o", "json")
    world |= {"STRAIT_SERVER": edge.url, "STRAIT_API_KEY": "k"}

    ascii_only = run(world, *asked, PYTHONIOENCODING="ascii")
    utf_8 = run(world, *asked, PYTHONIOENCODING="utf-8")

    assert json.loads(ascii_only.stdout)["name"] == name
    assert json.loads(utf_8.stdout)["name"] == name
    assert ascii_only.stdout.isascii()
    assert "\u00dc\U0001d11e" in utf_8.stdout


def test_an_interrupt_ends_with_130(world, edge):
    """The run never ends, so the command waits until it is interrupted."""
    edge.on("GET", "/v1/runs/r1", Says(200, {"id": "r1", "status": "queued"}))
    world |= {"STRAIT_SERVER": edge.url, "STRAIT_API_KEY": "k"}

    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "runs", "watch", "r1", "-o", "table"],
        env=world,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr.readline() == "r1 is queued\n"
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()

    assert process.returncode == 130
    assert errors == "error: interrupted\n"


@pytest.mark.parametrize("words", [[], ["jobs"], ["jobs", "list"]])
def test_completion_loads_nothing_heavy(world, words):
    """Cli 8.1: 150 ms. The modules below cost more than that together."""
    heavy = "{'httpx', 'rich', 'yaml', 'pydantic', 'strait_cli.transport'}"
    script = (
        "import sys; from strait_cli.main import main;"
        f"code = main({words!r}); print(*sorted({heavy} & sys.modules.keys())); sys.exit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=world | {"_STRAIT_COMPLETE": "bash", "_STRAIT_WORD": "-"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert "--server" in ended.stdout
    assert ended.stdout.splitlines()[-1] == ""


def test_bash_completes_through_its_script(world, tmp_path):
    """The script, a real bash, and the real command behind it."""
    command = tmp_path / "bin" / "strait"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m strait_cli "$@"\n')
    command.chmod(0o755)
    typed = """
        source <(strait completion bash -o table)
        COMP_WORDS=(strait jobs pa); COMP_CWORD=2; _strait; echo "${COMPREPLY[@]}"
        COMP_WORDS=(strait jobs list -o js); COMP_CWORD=4; _strait; echo "${COMPREPLY[@]}"
        COMP_WORDS=(strait runs ""); COMP_CWORD=2; _strait; echo "${#COMPREPLY[@]}"
    """

    ended = subprocess.run(
        ["bash", "-c", typed],  # noqa: S607  whichever bash the machine has
        env=world | {"PATH": f"{command.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert ended.stdout.splitlines() == ["pause", "json jsonl", "7"]
