"""What must not be seen in a log (behaviour 13.10, 15.3)."""

import uuid
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.telemetry.redaction import (
    REDACTED,
    redact,
    redact_fields,
    redact_query,
    redact_text,
)

KEY = "strait_" + "0a" * 32
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "db_password",
        "secret",
        "run_token",
        "SENTRY_DSN",
        "api_key",
        "Authorization",
        "credentials",
        "auth_config",
        "X-Secret-STRIPE",
    ],
)
def test_a_secret_is_known_by_its_key(key):
    assert redact_fields({key: "hush"}) == {key: REDACTED}
    assert redact_fields({key: {"any": ["thing"]}}) == {key: REDACTED}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at postgres://db/x now", "at [REDACTED] now"),
        ('"postgresql://u:p@db/x"', '"[REDACTED]"'),
        ("redis://cache rediss://cache", "[REDACTED] [REDACTED]"),
        ("GET https://user:hush@host/path", "GET [REDACTED]host/path"),
        ("Authorization: Bearer abc.def-ghi==, x", "Authorization: [REDACTED], x"),
        ("bearer hush", "[REDACTED]"),
        ("BEARER hush, bEaReR hush", "[REDACTED], [REDACTED]"),
        (f"key {KEY.upper()}!", "key [REDACTED]!"),
        (f"key {KEY}!", "key [REDACTED]!"),
        (f"token={JWT};", "token=[REDACTED];"),
        ("https://host/path?x=a@b", "https://host/path?x=a@b"),
        ("strait_run_transitions_total", "strait_run_transitions_total"),
        ("the bearer", "the bearer"),
        ("plain", "plain"),
    ],
)
def test_a_secret_is_known_by_its_look(text, shown):
    assert redact_text(text) == shown


def test_what_is_nested_is_redacted_too():
    class Job(msgspec.Struct):
        name: str
        secret: str

    assert redact(
        {"a": [{"token": 1}, (KEY, 2)], "b": {"c": {KEY: "x"}}, "job": Job("n", "s")}
    ) == {
        "a": [{"token": REDACTED}, [REDACTED, 2]],
        "b": {"c": {REDACTED: "x"}},
        "job": {"name": "n", "secret": REDACTED},
    }


def test_other_values_become_what_json_can_say():
    run, now = uuid.uuid4(), datetime.now(UTC)

    assert redact([None, True, 1, 1.5, run, now]) == [None, True, 1, 1.5, run, now]
    assert redact(b"hush") == "<4 bytes>"
    assert redact(ValueError(f"no {KEY}")) == "no [REDACTED]"
    assert redact("half \udcff") == "half ?"


def test_a_value_without_end_is_cut():
    endless = []
    endless.append(endless)

    assert msgspec.json.encode(redact(endless)) == '[[[[[[[["…"]]]]]]]]'.encode()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("limit=5&token=hush", "limit=5&token=[REDACTED]"),
        (
            "api_key=a&secret=b&password=c&key=d",
            "&".join(f"{name}=[REDACTED]" for name in ("api_key", "secret", "password", "key")),
        ),
        (
            "auth=a&code=b&state=c&signature=d",
            "&".join(f"{name}=[REDACTED]" for name in ("auth", "code", "state", "signature")),
        ),
        ("to%6ben=hush&TOKEN=x", "to%6ben=[REDACTED]&TOKEN=[REDACTED]"),
        (f"q={KEY}", "q=[REDACTED]"),
        ("status=failed&statement=1&token=", "status=failed&statement=1&token="),
        ("", ""),
    ],
)
def test_a_query_is_redacted(query, shown):
    assert redact_query(query) == shown


@given(
    st.recursive(
        st.text() | st.integers() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.text(),
)
def test_no_key_of_ours_gets_through(value, around):
    shown = msgspec.json.encode(redact([value, f"{around}{KEY}{around}", {"x": [KEY]}]))

    assert KEY.encode() not in shown
