"""The same error, again and again (behaviour 4.5, B.6; T39d)."""

from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.dispatch.model import Streak
from strait_server.work.dispatch.rules.poison import continued, error_hash


def test_the_hash_is_the_specified_one():
    assert error_hash("endpoint returned 500: boom") == "569b19befa942358"


def test_the_start_is_counted_in_characters():
    """T39d: 200 bytes would end inside a character."""
    assert error_hash("é" * 200 + "one tail") == error_hash("é" * 200 + "another")
    assert error_hash("é" * 199 + "a") != error_hash("é" * 199 + "b")


@given(st.text(), st.text())
def test_equal_texts_have_equal_hashes(one, other):
    assert len(error_hash(one)) == 16
    assert (error_hash(one) == error_hash(other)) is (one[:200] == other[:200])


def test_the_first_error_starts_a_streak():
    assert continued(None, "boom") == Streak(error_hash("boom"), 1)


def test_the_same_error_continues_it():
    assert continued(Streak(error_hash("boom"), 4), "boom").count == 5


def test_another_error_ends_it():
    assert continued(Streak(error_hash("boom"), 4), "bang") == Streak(error_hash("bang"), 1)
