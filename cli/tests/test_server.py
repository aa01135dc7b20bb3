"""The server's own commands, health and version, and what a bug looks like (cli 3, 9)."""

import sys

import pytest
from edge import Says


def test_health_of_a_server_that_is_down_fails(edge, strait):
    edge.on("GET", "/health", Says(200, {"status": "down"}))

    ended = strait("health")

    assert (ended.code, ended.json) == (1, {"status": "down"})


def test_readiness_tells_the_parts(edge, strait):
    parts = [{"name": "database", "status": "down"}]
    edge.on("GET", "/health/ready", Says(503, {"status": "degraded", "components": parts}))

    ended = strait("health", "--ready")

    assert ended.code == 8
    assert ended.json["details"]["components"] == parts


@pytest.mark.parametrize("args", [("serve",), ("dev",), ("migrate",), ("config", "check")])
def test_without_the_server_its_commands_say_how_to_get_it(home, strait, monkeypatch, args):
    monkeypatch.setitem(sys.modules, "strait_server", None)

    ended = strait(*args)

    assert ended.code == 3
    assert ended.json["suggestion"] == "pip install strait-server"


def test_version_can_ask_the_server(edge, strait):
    edge.on("GET", "/health", Says(200, {"status": "ok", "version": "9.9.9"}))

    assert strait("version", "--check-server").json["server_version"] == "9.9.9"


def test_a_bug_of_ours_ends_with_2(edge, strait):
    """A list that is not one breaks an assumption: nobody maps that to a sentence."""
    edge.on("GET", "/v1/jobs", Says(200, {"data": 7}))

    ended = strait("jobs", "list")

    assert (ended.code, ended.json["code"]) == (2, "panic")
    assert "Traceback" not in ended.err
    assert "Traceback" in strait("jobs", "list", "--debug").err
