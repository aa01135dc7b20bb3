"""`strait trigger` (cli 7, 9; api 9.4; trap C5)."""

from datetime import UTC, datetime, timedelta

import pytest
from edge import Says

DONE = {"id": "r1", "status": "completed", "result": {"ok": True}}
FAILED = {"id": "r1", "status": "failed", "error": "boom"}


@pytest.mark.parametrize("command", [("trigger",), ("jobs", "trigger")])
def test_trigger_passes_what_it_is_given(edge, strait, command):
    edge.on("POST", "/v1/jobs/resize/trigger", Says(201, {"id": "r1", "status": "queued"}))

    ended = strait(
        *(*command, "resize", "--payload", '{"image": 42}', "--priority", "3", "--ttl", "1h"),
        *("--tag", "src=upload", "--concurrency-key", "c", "--idempotency-key", "img-42"),
    )

    assert ended.json == {"id": "r1", "status": "queued"}
    assert edge.asked[0].headers["idempotency-key"] == "img-42"
    assert edge.asked[-1].body == {
        "payload": {"image": 42},
        "priority": 3,
        "ttl_secs": 3600,
        "concurrency_key": "c",
        "tags": {"src": "upload"},
    }


def test_trigger_is_repeated_under_one_key_of_its_own(edge, strait):
    busy = Says(503, {"error": "overloaded"}, {"Retry-After": "0"})
    edge.on("POST", "/v1/jobs/resize/trigger", busy, busy, Says(201, {"id": "r1"}))

    ended = strait("trigger", "resize", "-q")

    assert (ended.code, ended.out) == (0, "r1\n")
    assert len({asked.headers["idempotency-key"] for asked in edge.asked}) == 1
    assert len(edge.asked) == 3


def test_trigger_keeps_an_empty_payload(edge, strait):
    """An empty object is a payload, no flag is none."""
    edge.on("POST", "/v1/jobs/resize/trigger", Says(201, {"id": "r1"}))

    strait("trigger", "resize", "--payload", "{}")
    strait("trigger", "resize")

    assert edge.bodies == [{"payload": {}}, {}]


def test_trigger_reads_the_payload_from_standard_input(edge, strait):
    edge.on("POST", "/v1/jobs/resize/trigger", Says(201, {"id": "r1"}))

    strait("trigger", "resize", "--payload-file", "-", stdin="[1, 2]")

    assert edge.asked[-1].body == {"payload": [1, 2]}


@pytest.mark.parametrize(("ttl", "seconds"), [("0", 0), ("200ms", 1), ("90s", 90)])
def test_trigger_never_shortens_a_time_to_live_to_none(edge, strait, ttl, seconds):
    """The API takes whole seconds, and 0 as the job's own (behaviour 2.9)."""
    edge.on("POST", "/v1/jobs/resize/trigger", Says(201, {"id": "r1"}))

    strait("trigger", "resize", "--ttl", ttl)

    assert edge.asked[-1].body == {"ttl_secs": seconds}


def test_trigger_turns_a_delay_into_an_instant(edge, strait):
    edge.on("POST", "/v1/jobs/resize/trigger", Says(201, {"id": "r1", "status": "delayed"}))

    strait("trigger", "resize", "--delay", "10m")

    away = datetime.fromisoformat(edge.asked[-1].body["scheduled_at"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < away <= timedelta(minutes=10)


@pytest.mark.parametrize(
    "args",
    [
        ("--payload", "{"),
        ("--payload", ""),
        ("--payload", "[" * 5000 + "]" * 5000),
        ("--payload", "NaN"),
        ("--payload", "1e999"),
        ("--payload", r'"\ud800"'),
        ("--payload-file", ""),
        ("--payload", "{}", "--payload-file", "-"),
        ("--delay", "1m", "--scheduled-at", "2026-01-31T08:00:00Z"),
        ("--scheduled-at", "tomorrow"),
        ("--priority", "11"),
        ("--delay", "soon"),
        ("--delay", "99999999999d"),
        ("--timeout", "0"),
        ("--wait", "--dry-run"),
        ("--tag", "novalue"),
    ],
)
def test_trigger_refuses_what_makes_no_sense(edge, strait, args):
    ended = strait("trigger", "resize", *args)

    assert (ended.code, ended.json["code"]) == (3, "config_error")
    assert edge.asked == []


def test_trigger_and_wait_prints_the_finished_run(edge, strait):
    edge.on("POST", "/v1/jobs/resize/trigger", Says(201, {"id": "r1", "status": "queued"}))
    edge.on("GET", "/v1/runs/r1", Says(200, DONE))

    ended = strait("trigger", "resize", "--wait")

    assert (ended.code, ended.json) == (0, DONE)


def test_trigger_and_wait_ends_with_10_when_the_run_fails(edge, strait):
    """Trap C5. The run is the data; the reason is for people."""
    edge.on("POST", "/v1/jobs/resize/trigger", Says(201, {"id": "r1", "status": "queued"}))
    edge.on("GET", "/v1/runs/r1", Says(200, FAILED))

    ended = strait("trigger", "resize", "--wait")

    assert (ended.code, ended.json) == (10, FAILED)
    assert "run r1 ended failed: boom" in ended.err
