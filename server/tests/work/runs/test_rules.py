"""Decisions about looking at runs, without a database (api 4; behaviour 12.3)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.http.pages import PageRequest
from strait_server.base.ids import floor_id, new_id
from strait_server.work.queue.model import ORDINALS, Status
from strait_server.work.runs.rules import stretch
from strait_server.work.runs.rules.story import of_moves, place

RUN = UUID("01a20e09-4937-774d-b565-2fa070f6a70d")
MOVES = st.lists(
    st.tuples(st.integers(0, 4_000_000_000_000_000), st.sampled_from(list(Status))), max_size=40
)


@given(MOVES)
def test_a_story_keeps_the_order_of_the_moves_whatever_their_times(moves):
    packed = [micros * 16 + ORDINALS[status] for micros, status in moves]

    events = of_moves(RUN, packed)

    assert [msgspec.json.decode(event.data)["to"] for event in events] == [s for _, s in moves]
    assert sorted(events, key=place) == events
    assert len({place(event) for event in events}) == len(events)


@given(MOVES, MOVES)
def test_what_was_told_stays_told_when_more_happens(moves, more):
    packed = [micros * 16 + ORDINALS[status] for micros, status in moves]
    longer = packed + [micros * 16 + ORDINALS[status] for micros, status in more]

    assert of_moves(RUN, longer)[: len(moves)] == of_moves(RUN, packed)


def test_a_move_happens_when_it_is_written_down():
    at = datetime(2026, 1, 5, 10, 0, 0, 123456, tzinfo=UTC)
    micros = int(at.timestamp() * 1_000_000)

    [event] = of_moves(RUN, [micros * 16 + ORDINALS[Status.QUEUED]])

    assert event.created_at == at


@given(st.integers(40_000_000, 200_000_000_000))
def test_a_time_and_the_ids_made_then_agree(seconds):
    """Ids are made up to a minute before or after the row, by another clock."""
    at = datetime.fromtimestamp(seconds, UTC)
    made = floor_id(at)

    assert stretch.not_before(at + timedelta(seconds=59)) <= made
    assert made < stretch.not_after(at - timedelta(seconds=59))
    assert stretch.before_in(PageRequest(at=at)) == made
    assert stretch.after_in(PageRequest(at=at)) == made


def test_a_list_without_bounds_holds_every_id():
    assert stretch.not_before(None) < new_id() < stretch.not_after(None)
    assert stretch.after_in(PageRequest()) < new_id() < stretch.before_in(PageRequest())
    assert stretch.not_before(datetime(1, 1, 1, tzinfo=UTC)) == stretch.LOWEST
    assert stretch.not_after(datetime(9999, 12, 31, tzinfo=UTC)) == stretch.HIGHEST
