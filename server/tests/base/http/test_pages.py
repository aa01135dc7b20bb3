"""Lists, a page at a time (api 4; T94)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.errors import Invalid
from strait_server.base.http.pages import PageRequest, make_page, read_page

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PLACES = st.tuples(
    st.integers(0, 3).map(lambda seconds: NOON + timedelta(microseconds=seconds)), st.uuids()
)


def walk(ask, limit):
    """Follow the cursors to the end, as a client does."""
    seen, cursor = [], None
    while True:
        page = read_page(str(limit), cursor)
        answer = make_page(ask(page), page, lambda row: row)
        seen += answer.data
        if not answer.has_more:
            return seen
        cursor = answer.next_cursor


@given(rows=st.lists(PLACES, unique=True, max_size=60), limit=st.integers(1, 7))
def test_a_walk_sees_every_row_once_whatever_their_times(rows, limit):
    """T94."""
    newest_first = sorted(rows, reverse=True)

    def ask(page):
        return [row for row in newest_first if row < page.before][: page.rows]

    assert walk(ask, limit) == newest_first


@given(rows=st.lists(PLACES, unique=True, max_size=60), limit=st.integers(1, 7))
def test_a_walk_from_the_oldest_does_too(rows, limit):
    """T94."""
    oldest_first = sorted(rows)

    def ask(page):
        return [row for row in oldest_first if row > page.after][: page.rows]

    assert walk(ask, limit) == oldest_first


@pytest.mark.parametrize(
    ("text", "limit"),
    [(None, 50), ("", 50), ("1", 1), ("100", 100), ("101", 100), ("9" * 5000, 100), ("007", 7)],
)
def test_a_limit_is_50_unless_said_and_100_at_most(text, limit):
    assert read_page(text, None).limit == limit


@pytest.mark.parametrize("text", ["0", "-1", "ten", "1.5", "٣", "1 0", "00"])
def test_a_limit_is_a_positive_integer(text):
    with pytest.raises(Invalid, match="limit must be a positive integer"):
        read_page(text, None)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T09:59:58.000123Z",
        "2026-01-05T10:59:58.000123+01:00",
        "2026-01-05T09:59:58.000123456Z",
    ],
)
def test_a_plain_timestamp_means_every_row_of_that_time_was_seen(text):
    page = read_page(None, text)

    at = datetime(2026, 1, 5, 9, 59, 58, 123, tzinfo=UTC)
    assert page.before == (at, UUID(int=0))
    assert page.after == (at, UUID(int=2**128 - 1))


def test_an_unquoted_plus_of_an_offset_is_understood():
    assert read_page(None, "2026-01-05T10:00:00 01:00").at == datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["x", "2026-01-05", "2026-01-05T10:00:00", "%%%", "bm9wZQ", "ä", "MjAyNi0wMS0wNXx4"]
)
def test_any_other_cursor_is_refused(text):
    with pytest.raises(Invalid, match="invalid cursor format"):
        read_page(None, text)


def test_the_last_page_has_no_cursor():
    page = make_page([(NOON, UUID(int=1))], PageRequest(limit=1), lambda row: row)

    assert page.has_more is False
    assert not page.next_cursor
