"""Durations, instants, and how far away they are (cli 2, 4)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_cli.durations import parse_duration, parse_instant, spoken

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("7d", 604800), ("0", 0)],
)
def test_a_duration_is_read_in_the_notation_of_the_server(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "-5m", "5m!", "m5", "1.2.3s"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="such as 30s"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["99999999999d", "9" * 400])
def test_no_duration_passes_what_a_calendar_can_hold(text):
    with pytest.raises(ValueError, match="longer than a century"):
        parse_duration(text)


@given(st.integers(0, 10**6), st.integers(0, 59))
def test_the_parts_of_a_duration_add_up(minutes, seconds):
    assert parse_duration(f"{minutes}m{seconds}s") == minutes * 60 + seconds


def test_an_instant_needs_an_offset():
    with pytest.raises(ValueError, match="offset"):
        parse_instant("2026-01-31T08:00:00")


def test_an_instant_with_z_is_utc():
    assert parse_instant("2026-01-31T08:00:00Z") == datetime(2026, 1, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=12), "12 s ago"),
        (timedelta(minutes=-5), "in 5 min"),
        (timedelta(hours=30), "1 d ago"),
        (timedelta(milliseconds=300), "now"),
    ],
)
def test_an_instant_is_told_by_its_distance(ago, words):
    assert spoken(NOW - ago, now=NOW) == words
