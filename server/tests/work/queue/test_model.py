"""The run as the API shows it (api 8.3, 8.4) and its enumerations (behaviour 1.5, 1.6, 4.3)."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from strait_server.work.queue.model import (
    CancelReason,
    ErrorClass,
    ExecutionTrace,
    Run,
    RunEvent,
    Status,
    TriggeredBy,
    key_gate,
)

ID = UUID("0197a000-0000-7000-8000-000000000001")
AT = datetime(2026, 1, 5, 10, 0, 0, 123456, tzinfo=UTC)


def a_run(**fields):
    return Run(
        **{
            "id": ID,
            "job_id": ID,
            "project_id": "proj_1",
            "status": Status.QUEUED,
            "triggered_by": TriggeredBy.MANUAL,
            "attempt": 1,
            "priority": 0,
            "job_version": 0,
            "lineage_depth": 0,
            "debug_mode": False,
            "created_at": AT,
        }
        | fields
    )


def shown(thing):
    return msgspec.json.decode(msgspec.json.encode(thing))


def test_a_bare_run_shows_exactly_what_is_always_present():
    assert shown(a_run()) == {
        "id": str(ID),
        "job_id": str(ID),
        "project_id": "proj_1",
        "status": "queued",
        "triggered_by": "manual",
        "attempt": 1,
        "priority": 0,
        "job_version": 0,
        "lineage_depth": 0,
        "debug_mode": False,
        "created_at": "2026-01-05T10:00:00.123456Z",
    }


def test_a_result_of_null_is_shown_and_no_result_is_not():
    assert shown(a_run(result=Raw(b"null")))["result"] is None
    assert "result" not in shown(a_run())


def test_payload_and_result_are_passed_on_as_they_were_sent():
    written = msgspec.json.encode(a_run(payload=Raw(b'{"n": 1.50}'), result=Raw(b"[1,2]")))

    assert b'"payload":{"n": 1.50}' in written
    assert b'"result":[1,2]' in written


def test_a_trace_always_has_its_seven_phases():
    assert shown(a_run(execution_trace=ExecutionTrace()))["execution_trace"] == {
        "queue_wait_ms": 0,
        "dequeue_ms": 0,
        "connect_ms": 0,
        "ttfb_ms": 0,
        "transfer_ms": 0,
        "total_ms": 0,
        "dispatch_ms": 0,
    }


def test_an_event_shows_its_message_even_when_it_is_empty():
    event = RunEvent(id=ID, run_id=ID, type="progress", message="", created_at=AT)

    assert shown(event) == {
        "id": str(ID),
        "run_id": str(ID),
        "type": "progress",
        "message": "",
        "created_at": "2026-01-05T10:00:00.123456Z",
    }


def test_a_run_can_come_from_eleven_places():
    assert " ".join(TriggeredBy) == (
        "manual cron spawn workflow retry debounce batch event job_completion job_failure job_chain"
    )


def test_an_error_is_of_one_of_ten_classes():
    assert " ".join(ErrorClass) == (
        "budget timeout oom rate_limited auth client server connection transient unknown"
    )


def test_cancel_reasons_are_the_exact_texts():
    assert {reason.value for reason in CancelReason} == {
        "canceled by user",
        "canceled by user (bulk)",
        "canceled by user (bulk filter)",
        "parent run canceled",
        "parent run canceled (bulk)",
        "canceled by cron overlap policy: cancel_running",
        "parent canceled by cron overlap policy",
        "workflow canceled by user",
        "parent workflow canceled (bulk)",
        "workflow timed out",
        "project deleted",  # ours
    }


def test_children_say_why_their_parent_was_canceled():
    reason_of_child = {reason: reason.of_parent for reason in CancelReason}

    assert reason_of_child[CancelReason.USER] == "parent run canceled"
    assert reason_of_child[CancelReason.USER_BULK] == "parent run canceled (bulk)"
    assert reason_of_child[CancelReason.CRON_OVERLAP] == "parent canceled by cron overlap policy"
    for reason in reason_of_child.values():
        assert reason_of_child[reason] is reason


@given(st.text(":1a", min_size=3, max_size=12))
def test_where_a_projects_id_ends_and_the_key_begins_makes_another_gate(text):
    """Cut at any of its colons: no two keys of any projects share a gate."""
    cuts = [(text[:at], text[at + 1 :]) for at, char in enumerate(text) if char == ":"]

    assert len({key_gate(*cut) for cut in cuts}) == len(cuts)
