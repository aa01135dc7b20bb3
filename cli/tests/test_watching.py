"""Waiting for a run to end (cli 7)."""

from itertools import chain, repeat

import pytest

from strait_cli.errors import RunFailed, WaitExpired
from strait_cli.watching import FINAL, SUCCESS, check_success, watch


def look_at(*statuses):
    """Look at a run that moves on with every look, and stays in its last status."""
    moves = chain(statuses, repeat(statuses[-1]))
    return lambda: {"id": "r1", "status": next(moves)}


def look_until_it_ends(*statuses, until=SUCCESS, interval=2.0, limit=0.0):
    pauses, told = [], []
    run = watch(
        look_at(*statuses),
        until=until,
        interval=interval,
        limit=limit,
        told=told.append,
        sleep=pauses.append,
    )
    return run, pauses, told


@pytest.mark.parametrize("status", sorted(FINAL))
def test_every_final_status_ends_the_watch(status):
    run, pauses, _ = look_until_it_ends(status)

    assert run["status"] == status
    assert pauses == []


def test_the_looks_start_close_and_grow_to_the_interval():
    _, pauses, _ = look_until_it_ends(*["executing"] * 10, "completed")

    assert pauses[:3] == pytest.approx([0.2, 0.3, 0.45])
    assert pauses == sorted(pauses)
    assert pauses[-1] == 2.0


def test_no_pause_is_longer_than_the_interval():
    _, pauses, _ = look_until_it_ends(*["executing"] * 5, "completed", interval=0.1)

    assert set(pauses) == {0.1}


def test_only_changes_are_told():
    _, _, told = look_until_it_ends("queued", "queued", "executing", "completed")

    assert told == ["r1 is queued", "r1 is executing", "r1 is completed"]


def test_a_wished_status_ends_the_watch_before_the_end():
    run, _, _ = look_until_it_ends("queued", "executing", until={"executing"})

    assert run["status"] == "executing"


def test_a_wait_that_expires_says_where_the_run_stands():
    with pytest.raises(WaitExpired) as caught:
        look_until_it_ends("queued", limit=1e-6)

    assert caught.value.details == {"run_id": "r1", "status": "queued"}


def test_a_run_is_looked_at_once_more_than_the_clock_allows():
    """The first look comes before the first wait: a finished run never times out."""
    run, _, _ = look_until_it_ends("completed", limit=1e-9)

    assert run["status"] == "completed"


def test_a_bad_end_is_an_error_for_people_only():
    with pytest.raises(RunFailed, match="run r1 ended failed: boom") as caught:
        check_success({"id": "r1", "status": "failed", "error": "boom"}, until=SUCCESS)

    assert caught.value.answered


def test_a_wished_end_is_no_error():
    check_success({"id": "r1", "status": "failed"}, until={"failed"})
