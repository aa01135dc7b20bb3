"""`strait runs` and `strait dlq` (cli 7, 9; api 9.9, 9.10; trap C3)."""

import pytest
from edge import Says

DONE = {"id": "r1", "status": "completed", "result": {"ok": True}}
FAILED = {"id": "r1", "status": "failed", "error": "boom"}


def test_runs_list_passes_its_filters(edge, strait):
    edge.on("GET", "/v1/runs", Says(200, {"data": []}))

    strait("runs", "list", "--status", "failed", "--status", "expired", "--job", "resize")

    assert edge.asked[0].query == {
        "limit": ["50"],
        "statuses": ["failed", "expired"],
        "job_id": ["resize"],
    }


def test_runs_list_knows_its_statuses(edge, strait):
    ended = strait("runs", "list", "--status", "done")

    assert ended.code == 3
    assert "completed" in ended.json["error"]


def test_runs_watch_tells_every_move_on_standard_error(edge, strait):
    queued, executing = {"id": "r1", "status": "queued"}, {"id": "r1", "status": "executing"}
    edge.on("GET", "/v1/runs/r1", *(Says(200, run) for run in (queued, queued, executing, DONE)))

    ended = strait("runs", "watch", "r1", "--interval", "1ms")

    assert ended.json == DONE
    assert ended.err.splitlines() == ["r1 is queued", "r1 is executing", "r1 is completed"]


def test_runs_watch_gives_up_with_9(edge, strait):
    edge.on("GET", "/v1/runs/r1", Says(200, {"id": "r1", "status": "queued"}))

    ended = strait("runs", "watch", "r1", "--interval", "1ms", "--wait-timeout", "10ms")

    assert (ended.code, ended.json["code"]) == (9, "timeout")
    assert ended.json["details"] == {"run_id": "r1", "status": "queued"}


@pytest.mark.parametrize(
    ("until", "code"), [("failed", 0), ("executing,failed", 0), ("expired", 10)]
)
def test_runs_watch_lets_the_caller_say_what_success_is(edge, strait, until, code):
    edge.on("GET", "/v1/runs/r1", Says(200, FAILED))

    assert strait("runs", "watch", "r1", "--until", until).code == code


def test_runs_watch_refuses_an_unknown_status(edge, strait):
    assert strait("runs", "watch", "r1", "--until", "done").code == 3


def test_one_run_is_canceled_by_its_own_route(edge, strait):
    edge.on("DELETE", "/v1/runs/r1", Says(200, {"id": "r1", "status": "canceled"}))

    assert strait("runs", "cancel", "r1", "-q").out == "r1\n"


def test_canceling_a_finished_run_does_not_end_with_0(edge, strait):
    """Trap C3."""
    edge.on("DELETE", "/v1/runs/r1", Says(400, {"error": "run already in terminal state"}))

    assert strait("runs", "cancel", "r1").code == 7


def test_several_runs_are_canceled_by_the_hundred(edge, strait):
    edge.on("POST", "/v1/runs/bulk-cancel", Says(200, {"results": []}))

    strait("runs", "cancel", *(f"r{number}" for number in range(150)), "--yes")

    assert [len(sent["run_ids"]) for sent in edge.bodies] == [100, 50]


def test_a_run_that_was_not_canceled_fails_the_command(edge, strait):
    """Trap C3. The outcome of each is still the data."""
    results = [
        {"id": "r1", "status": "canceled"},
        {"id": "r2", "status": "completed", "error": "run already in terminal state"},
    ]
    edge.on("POST", "/v1/runs/bulk-cancel", Says(200, {"results": results}))

    ended = strait("runs", "cancel", "r1", "r2", "--yes")

    assert (ended.code, ended.json) == (1, results)
    assert "1 of 2" in ended.err


def test_all_unfinished_runs_are_canceled_by_their_ids(edge, strait):
    edge.on("GET", "/v1/runs", Says(200, {"data": [{"id": "r1"}, {"id": "r2"}]}))
    edge.on("POST", "/v1/runs/bulk-cancel", Says(200, {"results": []}))

    strait("runs", "cancel", "--all", "--status", "queued", "--yes")

    assert edge.asked[0].query["statuses"] == ["queued"]
    assert edge.asked[-1].body == {"run_ids": ["r1", "r2"]}


@pytest.mark.parametrize("args", [(), ("r1", "--all")])
@pytest.mark.parametrize("group", [("runs", "cancel"), ("dlq", "replay")])
def test_it_is_either_ids_or_all(edge, strait, group, args):
    assert strait(*group, *args).code == 3


def test_a_replay_can_be_waited_for(edge, strait):
    edge.on("POST", "/v1/runs/r0/replay", Says(201, {"id": "r1", "status": "queued"}))
    edge.on("GET", "/v1/runs/r1", Says(200, DONE))

    assert strait("runs", "replay", "r0", "--wait").json == DONE


HELD = {
    "run_id": "r1",
    "status": "queued",
    "summary": "waits for a slot",
    "gates": [
        {
            "gate": "concurrency",
            "blocking": True,
            "held_by": "r0",
            "detail": "1 of 1",
            "action": "-",
        }
    ],
}


def test_explain_answers_people_in_a_sentence_and_a_table(edge, strait):
    edge.on("GET", "/v1/runs/r1/explain", Says(200, HELD))

    sentence, heading, gate = strait("runs", "explain", "r1", "-o", "table").out.splitlines()

    assert sentence == "r1 is queued: waits for a slot"
    assert heading.split()[:2] == ["GATE", "BLOCKING"]
    assert gate.split() == ["concurrency", "yes", "1", "of", "1", "-", "r0"]


def test_explain_answers_programs_with_the_document(edge, strait):
    edge.on("GET", "/v1/runs/r1/explain", Says(200, HELD))

    assert strait("runs", "explain", "r1").json == HELD


@pytest.mark.parametrize("name", ["events", "logs"])
def test_events_are_filtered_by_the_server(edge, strait, name):
    edge.on("GET", "/v1/runs/r1/events", Says(200, {"data": [{"id": "e1", "message": "hi"}]}))

    strait("runs", name, "r1", "--level", "error", "--type", "log")

    assert edge.asked[0].query == {"limit": ["100"], "level": ["error"], "type": ["log"]}


def test_one_dead_letter_is_replayed_by_its_own_route(edge, strait):
    edge.on("POST", "/v1/runs/r1/dlq-replay", Says(200, {"id": "r1", "status": "queued"}))

    assert strait("dlq", "replay", "r1").json["status"] == "queued"


def test_several_dead_letters_are_one_call(edge, strait):
    edge.on("POST", "/v1/runs/bulk-dlq-replay", Says(200, {"replayed": [{"id": "r1"}], "count": 1}))

    ended = strait("dlq", "replay", "r1", "r2")

    assert (ended.code, ended.json) == (1, [{"id": "r1"}])
    assert "1 of 2" in ended.err


def test_all_dead_letters_are_found_first(edge, strait):
    dead = [{"id": f"r{number}"} for number in range(3)]
    edge.on("GET", "/v1/runs/dlq", Says(200, {"data": dead}))
    edge.on("POST", "/v1/runs/bulk-dlq-replay", Says(200, {"replayed": dead, "count": 3}))

    ended = strait("dlq", "replay", "--all", "--yes")

    assert (ended.code, len(ended.json)) == (0, 3)
    assert edge.asked[-1].body == {"run_ids": ["r0", "r1", "r2"]}


def test_more_dead_letters_than_are_fetched_are_told_of(edge, strait):
    """Cli 2: a cap says that it cut."""
    page = {"data": [{"id": "r1"}], "has_more": True, "next_cursor": "on"}
    edge.on("GET", "/v1/runs/dlq", Says(200, page))
    edge.on("POST", "/v1/runs/bulk-dlq-replay", Says(200, {"replayed": [{"id": "r1"}] * 100}))

    ended = strait("dlq", "replay", "--all", "--yes")

    assert ended.code == 0
    assert "more than 100" in ended.err


def test_no_dead_letters_are_nothing_to_do(edge, strait):
    edge.on("GET", "/v1/runs/dlq", Says(200, {"data": []}))

    assert strait("dlq", "replay", "--all").json == []


def test_what_a_job_reports_cannot_command_the_terminal(edge, strait):
    edge.on("GET", "/v1/runs/r1", Says(200, FAILED | {"error": "\x1b]0;owned\x07boom\x9b2J"}))

    ended = strait("runs", "watch", "r1", "-o", "table")

    assert "boom" in ended.out
    assert not {"\x1b", "\x07", "\x9b"} & {*ended.out, *ended.err}
