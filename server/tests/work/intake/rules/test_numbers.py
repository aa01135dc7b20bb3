"""Which numbers a payload may hold (behaviour 2.7, T95; api 9.9)."""

import pytest

from strait_server.base.errors import Invalid
from strait_server.work.intake.rules.numbers import check_numbers


@pytest.mark.parametrize(
    "number",
    [
        b"1e9999",
        b"1E-9999",
        b"-2.5e+000012",
        b"9" * 4300,
        b"0." + b"1" * 4299,
        b"12345678901234567890",
    ],
)
def test_a_number_that_can_be_compared_is_taken(number):
    check_numbers("payload", b'{"n":%s}' % number)


@pytest.mark.parametrize("number", [b"1e10000", b"1E-10000", b"2.5e+0099999", b"0." + b"1" * 4300])
def test_one_that_is_out_of_range_is_refused(number):
    with pytest.raises(Invalid, match="payload: a number is out of range"):
        check_numbers("payload", b'[{"n":%s}]' % number)


@pytest.mark.parametrize("text", [b"1e10000", b"9" * 5000, b'a\\"1e99999', b"\\\\"])
def test_text_is_no_number(text):
    check_numbers("payload", b'{"a":"%s","%s":1}' % (text, text))
