"""The words for parameters (api 1.2)."""

import pytest

from strait_server.base.http.params import is_set, without_array_marks


@pytest.mark.parametrize("text", ["true", "1", "t"])
def test_a_flag_is_set_by_these_words(text):
    assert is_set(text)


@pytest.mark.parametrize("text", ["false", "0", "f", None])
def test_a_flag_is_not_set_by_these_or_none(text):
    assert not is_set(text)


@pytest.mark.parametrize(
    ("query", "plain"),
    [
        (b"status[]=a&status[]=b", b"status=a&status=b"),
        (b"status%5B%5D=a&x=%5B%5D", b"status=a&x=%5B%5D"),
        (b"status%5b%5d=a", b"status=a"),
        (b"a=b[]", b"a=b[]"),
    ],
)
def test_both_spellings_of_a_repeated_parameter_are_one(query, plain):
    assert without_array_marks(query) == plain
