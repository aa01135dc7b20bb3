"""API keys and the internal secret (behaviour 0.2, 13.1, 13.3, B.7)."""

import pytest

from strait_server.base.crypto import keys

ZEROS = "strait_" + "0" * 64


def test_the_vector_of_the_specification_holds():
    assert keys.hashed(ZEROS) == "e32849cb58f1eea4d2770d9b691d83a7a09a79eee89aa9510837ac46817174a6"
    assert keys.prefix(ZEROS) == "strait_00000"


def test_a_new_key_has_the_form_of_a_key_and_is_new():
    first, second = keys.new(), keys.new()

    assert keys.is_key(first)
    assert first != second


@pytest.mark.parametrize(
    "text", ["", "strait_", ZEROS[:-1], ZEROS + "0", ZEROS + "\n", ZEROS.upper(), "x" + ZEROS]
)
def test_other_texts_are_not_keys(text):
    assert not keys.is_key(text)


@pytest.mark.parametrize(
    ("given", "secret", "same"),
    [
        ("hush", "hush", True),
        ("hush", "husk", False),
        ("", "hush", False),
        ("", "", False),
        ("hush", "", False),
        ("hüsh", "hüsh", True),
        ("\udcff", "hush", False),
    ],
)
def test_a_secret_is_compared(given, secret, same):
    """T118f."""
    assert keys.is_same(given, secret) is same


def test_any_text_can_be_looked_up():
    assert len(keys.hashed("strait_\udcffé")) == 64
