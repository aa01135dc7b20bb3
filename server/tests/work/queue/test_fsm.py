"""The run state machine (behaviour 1.1, 1.2; T1, T20)."""

import pytest

from strait_server.work.queue.model import FINAL, ORDINALS, TERMINAL, Status
from strait_server.work.queue.rules.fsm import MOVES

SPECIFIED = {
    ("delayed", "queued"),
    ("delayed", "canceled"),
    ("delayed", "expired"),
    ("queued", "delayed"),  # rescheduled (behaviour 2.16)
    ("queued", "dequeued"),
    ("queued", "canceled"),
    ("queued", "expired"),
    ("dequeued", "executing"),
    ("dequeued", "queued"),
    ("dequeued", "canceled"),
    ("dequeued", "system_failed"),
    ("executing", "completed"),
    ("executing", "failed"),
    ("executing", "timed_out"),
    ("executing", "crashed"),
    ("executing", "canceled"),
    ("executing", "waiting"),
    ("executing", "queued"),
    ("executing", "system_failed"),
    ("executing", "dead_letter"),
    ("executing", "paused"),
    ("waiting", "executing"),
    ("waiting", "completed"),
    ("waiting", "failed"),
    ("waiting", "canceled"),
    ("waiting", "timed_out"),
    ("waiting", "queued"),
    ("dead_letter", "queued"),
    ("dead_letter", "replay_staged"),
    ("replay_staged", "queued"),
    ("replay_staged", "canceled"),
    ("paused", "queued"),
    ("paused", "canceled"),
}


def test_the_table_is_the_specified_one():
    assert {(here, target) for here, out in MOVES.items() for target in out} == SPECIFIED


def test_every_status_has_a_row():
    assert set(MOVES) == set(Status)


def test_a_waiting_run_may_be_queued_again():
    """T1: what an event, a child or a dependency resumes is claimable at once."""
    assert Status.QUEUED in MOVES[Status.WAITING]


def test_the_terminal_statuses_are_those_without_a_way_out():
    assert {status for status, ways_out in MOVES.items() if not ways_out} == TERMINAL


def test_a_dead_letter_is_final_but_not_terminal():
    """T20: everything that waits for the end of a run takes a dead letter for one."""
    assert TERMINAL < FINAL
    assert list(FINAL - TERMINAL) == [Status.DEAD_LETTER]
    assert MOVES[Status.DEAD_LETTER]


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL))
def test_every_unfinished_run_can_reach_an_end(status):
    reached = {status}
    while further := {target for here in reached for target in MOVES[here]} - reached:
        reached |= further

    assert reached & FINAL


def test_only_a_replay_leaves_the_dead_letters():
    assert MOVES[Status.DEAD_LETTER] == {Status.QUEUED, Status.REPLAY_STAGED}


def test_the_ordinals_are_those_of_the_specification():
    """They are stored in `runs.moves`: a status may be added at the end, nothing may change."""
    assert " ".join(sorted(ORDINALS, key=ORDINALS.__getitem__)) == (
        "delayed queued dequeued executing waiting completed failed timed_out crashed"
        " system_failed canceled expired dead_letter replay_staged paused"
    )
    assert sorted(ORDINALS.values()) == list(range(15))
