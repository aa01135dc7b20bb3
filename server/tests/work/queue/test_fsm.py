"""The run state machine (behaviour 1.1, 1.2; T1, T20)."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.queue.model import FINAL, ORDINALS, TERMINAL, Status
from strait_server.work.queue.rules.fsm import MOVES, IllegalMove, UnknownStatus, check_move

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


@pytest.mark.parametrize("pair", sorted(SPECIFIED), ids="->".join)
def test_a_specified_move_is_legal(pair):
    source, target = pair

    check_move(source, Status(target))


def test_every_other_move_is_refused():
    for source, target in set(product(Status, Status)) - SPECIFIED:
        with pytest.raises(IllegalMove) as refused:
            check_move(source, target)
        assert (refused.value.source, refused.value.target) == (source, target)


def test_every_status_has_a_row():
    assert set(MOVES) == set(Status)


def test_a_waiting_run_may_be_queued_again():
    """T1: what an event, a child or a dependency resumes is claimable at once."""
    check_move(Status.WAITING, Status.QUEUED)


def test_an_unknown_status_is_another_error_than_an_unknown_move():
    with pytest.raises(UnknownStatus, match="unknown status 'sleeping'"):
        check_move("sleeping", Status.QUEUED)


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


@given(st.lists(st.sampled_from(Status), max_size=50))
def test_no_walk_leaves_a_terminal_status(attempts):
    """Whatever is tried, in whatever order, the end is the end."""
    here, ended = Status.QUEUED, False
    for target in attempts:
        try:
            check_move(here, target)
        except IllegalMove:
            continue
        assert not ended
        here, ended = target, target in TERMINAL


@given(st.lists(st.sampled_from(Status), max_size=50))
def test_only_a_replay_leaves_the_dead_letters(attempts):
    here = Status.DEAD_LETTER
    for target in attempts:
        if target in MOVES[here]:
            assert here is not Status.DEAD_LETTER or target in {"queued", "replay_staged"}
            here = target


def test_the_ordinals_are_those_of_the_specification():
    """They are stored in `runs.moves`: a status may be added at the end, nothing may change."""
    assert " ".join(sorted(ORDINALS, key=ORDINALS.__getitem__)) == (
        "delayed queued dequeued executing waiting completed failed timed_out crashed"
        " system_failed canceled expired dead_letter replay_staged paused"
    )
    assert sorted(ORDINALS.values()) == list(range(15))
