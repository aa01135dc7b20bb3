"""A command line in its own little world: an empty home, and a server at the edge."""

import io
import json
import os
from typing import Any, NamedTuple

import contract
import edge as edges
import pytest

from strait_cli.main import main


class Ended(NamedTuple):
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Nothing of the machine leaks in: no variables, no files."""
    for name in os.environ:
        if name.startswith("STRAIT_") or name in {"CI", "NO_COLOR", "_STRAIT_COMPLETE"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path / "home"


@pytest.fixture
def any_edge(home, monkeypatch):
    """Lend a server that may also be asked for what ours does not have."""
    with edges.running() as edge:
        monkeypatch.setenv("STRAIT_SERVER", edge.url)
        monkeypatch.setenv("STRAIT_API_KEY", "strait_test")
        yield edge


@pytest.fixture
def edge(any_edge):
    """Lend a server that is only asked for what ours has (trap C18)."""
    yield any_edge
    assert contract.strays(any_edge.asked) == []


@pytest.fixture
def strait(home, capsys, monkeypatch):
    """Run one command line in this process."""

    def run(*args: str, stdin: str = "") -> Ended:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main(args)
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return run
