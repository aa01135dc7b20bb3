"""Canonical payloads and NUL characters (behaviour 2.7, B.6; api 1.2)."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.canonical import (
    MAX_DEPTH,
    PayloadError,
    canonical,
    strip_nul,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("raw", "form", "digest"),
    [
        (
            '{"b":1,"a":[true,null,"é"]}',
            '{"a":[true,null,"é"],"b":1}',
            "17c8c6f7f948ee1c9b93b1bc35f6edc29cbaf3022bff7d076d1c4831dd8a44a2",
        ),
        ("", "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"),
    ],
)
def test_the_vectors_of_the_specification_hold(raw, form, digest):
    assert canonical(raw.encode()) == form.encode()
    assert hashlib.sha256(canonical(raw.encode())).hexdigest() == digest


@pytest.mark.parametrize(
    "number",
    [
        "9007199254740993",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "1.10",
        "-0.0",
        "1e5",
        "1E400",
        "0.1000000000000000055511151231257827",
        "9" * 4300,
    ],
)
def test_a_number_keeps_its_digits(number):
    """T95: no number passes through a float."""
    raw = f'{{"n":{number}}}'.encode()

    assert canonical(raw) == raw


def test_keys_are_sorted_by_code_point_at_every_level():
    raw = '{"\U0001f600":1,"\uffff":2,"é":{"b":1,"B":2,"":3},"z":4}'

    assert canonical(raw.encode()).decode() == (
        '{"z":4,"é":{"":3,"B":2,"b":1},"\uffff":2,"\U0001f600":1}'
    )


def test_spaces_go_and_html_is_not_escaped():
    raw = b' { "a" : "<a href=\\"x\\">&amp;\\/" , "b" : [ 1 , 2 ] } '

    assert canonical(raw) == b'{"a":"<a href=\\"x\\">&amp;/","b":[1,2]}'


@given(JSON)
def test_the_value_survives_and_the_form_is_stable(value):
    raw = json.dumps(value, ensure_ascii=True, indent=1).encode()

    form = canonical(raw)

    assert json.loads(form) == value
    assert canonical(form) == form
    assert canonical(json.dumps(value, ensure_ascii=False).encode()) == form


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":2}',
        b'[{"x":{"k\\"\\\\":1, "k\\"\\\\":1}}]',
        b'{"a":"\\u0022","b":"\\\\","b":"\\""}',
    ],
)
def test_a_key_that_stands_twice_is_refused(raw):
    with pytest.raises(PayloadError, match="same key twice"):
        canonical(raw)


@pytest.mark.parametrize(
    "raw",
    [b"{", b"nope", b"{} {}", b" ", b"NaN", b"01", b'"\x00"', b"[1,]", b"'a'", b"9" * 4301],
)
def test_malformed_json_is_refused(raw):
    with pytest.raises(PayloadError):
        canonical(raw)


@pytest.mark.parametrize(
    "raw", [b'"\xff"', b'{"\xc0\x80":1}', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\udc00\\ud800"']
)
def test_text_that_is_not_unicode_is_refused(raw):
    with pytest.raises(PayloadError):
        canonical(raw)


def nested(levels, *, inside="0"):
    return ('{"a":[' * (levels // 2) + inside + "]}" * (levels // 2)).encode()


def test_the_deepest_payload_is_accepted():
    assert canonical(nested(MAX_DEPTH)) == nested(MAX_DEPTH)


@pytest.mark.parametrize("levels", [MAX_DEPTH + 2, 5000, 200_000])
def test_a_deeper_payload_is_refused(levels):
    with pytest.raises(PayloadError, match="deeper than 512"):
        canonical(nested(levels))


def test_many_brackets_are_not_depth():
    raw = b"[" + b'[],{"[[[\\"{{{":"]}"},' * 2000 + b"1]"

    assert canonical(raw) == raw


@pytest.mark.parametrize(
    ("raw", "stripped"),
    [
        (b'{"a\\u0000b":["\\u0000",{"c":"x\\u0000"}]}', b'{"ab":["",{"c":"x"}]}'),
        (b'{"a":\x00"b\x00c"}', b'{"a": "b c"}'),
        (b'"\\\\u0000"', b'"\\\\u0000"'),
        (b'"\\\\\\u0000"', b'"\\\\"'),
        (b'"\\u00001"', b'"1"'),
        (b'"\\n\\u0041"', b'"\\n\\u0041"'),
        (b"{}", b"{}"),
    ],
)
def test_nul_characters_are_stripped(raw, stripped):
    assert strip_nul(raw) == stripped


@given(JSON)
def test_nothing_but_nul_is_stripped(value):
    def without_nul(value):
        match value:
            case str():
                return value.replace("\0", "")
            case list():
                return [without_nul(item) for item in value]
            case dict():
                return {without_nul(key): without_nul(item) for key, item in value.items()}
            case _:
                return value

    assert json.loads(strip_nul(json.dumps(value).encode())) == without_nul(value)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (rb'{"a":"\ud800"}', "a string holds half a character, a surrogate without its pair"),
        (rb'{"a":"\ud800x"}', "a string holds half a character, a surrogate without its pair"),
        (rb'{"a":"\ud800\u0041"}', "a string holds half a character, a surrogate without its pair"),
        (rb'{"\udc00":1}', "a string holds half a character, a surrogate without its pair"),
        (b'{"a":', "it ends too early"),
        (rb'{"a":"\ud800', "it ends too early"),
    ],
)
def test_what_is_malformed_is_told_in_a_sentence(raw, reason):
    with pytest.raises(PayloadError) as refused:
        canonical(raw)

    assert str(refused.value) == f"JSON is malformed: {reason}"
