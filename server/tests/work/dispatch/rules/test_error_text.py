"""Error texts that may be stored, shown and sent on (behaviour 3.2, 3.3, 15.3; T40d)."""

import json
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strait_server.work.dispatch.rules.error_text import cut, of_answer, one_line, presentable

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTk3YSJ9.c2lnbmF0dXJl"
KEY = "strait_" + "0123456789abcdef" * 4


def test_an_answer_is_told_with_its_status():
    assert of_answer(500, b"boom") == "endpoint returned 500: boom"
    assert of_answer(502, b" \n") == "endpoint returned 502"


def test_a_body_that_is_not_text_is_told_as_far_as_it_is():
    assert of_answer(500, b"\xff\xfeno\x00pe") == "endpoint returned 500: \ufffd\ufffdnope"


@pytest.mark.parametrize(
    "text",
    [
        "dial postgres://app:HUSH@db:5432/prod failed",
        "dial redis://HUSH@cache failed",
        "GET https://bob:HUSH@host/path failed",
        "sent Authorization: Bearer HUSH",
        "sent authorization: basic HUSH",
        "curl -H 'X-Secret-API: HUSH'",
        "password=HUSH&user=bob",
        "API_KEY = HUSH",
        '{"client_secret": "HUSH", "user": "bob"}',
        '{"credentials": {"user": "bob", "value": "HUSH"}}',
        '{"tokens": ["a", "HUSH"]}',
        r'{"body": "{\"password\": \"HUSH\"}"}',
        '{"password": "never closed HUSH',
        '{"password": "with a \\" quote HUSH"}',
        "DSN: 'HUSH'",
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text):
    shown = presentable(text)

    assert "HUSH" not in shown
    assert "[REDACTED]" in shown


@pytest.mark.parametrize("secret", [KEY, TOKEN, "whsec_" + "a" * 64, f"Bearer {TOKEN}"])
def test_a_key_of_our_own_is_taken_out_wherever_it_stands(secret):
    assert presentable(f"cannot use <{secret}>") == "cannot use <[REDACTED]>"


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'customer_id'",
        "TokenExpiredError: log in again",
        "duplicate key value violates unique constraint",
        "see https://example.com/docs?to=a@b.c",
        "keyboard not found",
        "line 1\n\tline 2",
    ],
)
def test_what_helps_to_understand_stays(text):
    assert presentable(text) == text


def test_the_values_sent_with_the_run_are_taken_out_to_the_letter():
    shown = presentable("no such user: s3cr3t-value (s3cr3t)", secrets=["s3cr3t", "s3cr3t-value"])

    assert shown == "no such user: [REDACTED] ([REDACTED])"


def test_a_secret_of_several_lines_is_found_plain_and_in_json():
    secret = 'BEGIN\r\n"hidden"\r\nEND'

    assert presentable(f"got {secret}!", secrets=[secret]) == "got [REDACTED]!"
    assert presentable(f"got {json.dumps(secret)}!", secrets=[secret]) == 'got "[REDACTED]"!'


def test_a_secret_cannot_hide_behind_a_control_character():
    assert "hunter2" not in presentable("got hun\x00ter2", secrets=["hunter2"])
    assert "HUSH" not in presentable("pass\x08word=HUSH")


def test_a_short_value_does_not_garble_the_text():
    assert presentable("a cat sat", secrets=["a", "cat"]) == "a cat sat"


@given(
    secret=st.text("0123456789", min_size=4, max_size=60),
    words=st.lists(st.text("ab é\x00\n0123456789", max_size=20), max_size=20),
)
def test_no_value_of_the_run_is_ever_shown(secret, words):
    assert secret not in presentable(secret.join(words), secrets=[secret])


def test_a_secret_cut_in_two_by_our_reading_is_not_shown():
    secret = "0123456789" * 3000  # two of them reach beyond what is read

    shown = presentable(secret + " and " + secret, secrets=[secret])

    assert "0123" not in shown


@given(st.text() | st.text("é€𝄞\x00\r\n", max_size=3000))
@example("€" * 5000)
def test_a_presentable_text_is_bounded_clean_and_whole(text):
    shown = presentable(text)

    assert len(shown.encode()) <= 4096
    assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\n\t"]


def test_a_long_text_is_cut_between_characters():
    assert presentable("€" * 2000) == "€" * 1365  # three bytes each


@given(st.text())
@example("a\r\nb\tc")
@example("x" * 2000)
def test_a_header_is_one_line(text):
    line = one_line(text)

    assert len(line.encode()) <= 1024
    assert len(line.splitlines()) <= 1
    assert not [c for c in line if unicodedata.category(c) == "Cc"]
    assert line == line.strip()


def test_a_header_keeps_the_words():
    assert one_line("endpoint returned 500:\n  boom\x00\n") == "endpoint returned 500: boom"


@given(st.text(), st.integers(0, 50))
def test_a_cut_text_is_the_longest_start_that_fits(text, limit):
    kept = cut(text, limit)

    assert text.startswith(kept)
    assert len(kept.encode()) <= limit
    following = text[: len(kept) + 1]
    assert following == kept or len(following.encode()) > limit


@pytest.mark.parametrize(
    "unit",
    ["a", "eyJ", "key", "key:", '{"key":', "://", "bearer ", "strait_", '"', "\\", "@", "token='"],
)
def test_no_body_keeps_us_busy(unit):
    """A hostile megabyte costs no more than a friendly one: cleaning is linear."""
    body = (unit * (1_048_576 // len(unit))).encode()
    started = time.process_time()

    of_answer(500, body, secrets=[TOKEN])

    assert time.process_time() - started < 0.25
