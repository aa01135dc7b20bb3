"""What kind of failure it was, and what that means (behaviour 4.3, 4.4, 3.5; T28)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.work.dispatch.model import Trouble
from strait_server.work.dispatch.rules.classify import (
    ENDPOINT_AT_FAULT,
    RETRYABLE,
    of_internal,
    of_status,
    of_trouble,
)
from strait_server.work.queue.model import ErrorClass


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (101, "unknown"),
        (301, "client"),
        (302, "client"),
        (304, "client"),
        (400, "client"),
        (401, "auth"),
        (403, "auth"),
        (404, "client"),
        (408, "timeout"),
        (409, "client"),
        (422, "client"),
        (425, "transient"),
        (429, "rate_limited"),
        (499, "client"),
        (500, "server"),
        (503, "server"),
        (504, "server"),
        (599, "server"),
    ],
)
def test_a_status_has_its_class(status, expected):
    assert of_status(status) == expected


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (Trouble.TIMEOUT, "timeout"),
        (Trouble.CONNECTION, "connection"),
        (Trouble.PROTOCOL, "transient"),
        (Trouble.REFUSED, "client"),
        (Trouble.TOO_LARGE, "client"),
    ],
)
def test_a_trouble_has_its_class(trouble, expected):
    assert of_trouble(trouble) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("run cost budget exceeded", "budget"),
        ("over the daily cost limit", "budget"),
        ("budget exceeded: out of memory", "budget"),
        ("container ran out of memory", "oom"),
        ("killed: OOM", "oom"),
        ("memory limit exceeded (512 MiB)", "oom"),
        ("spawn: ENOMEM", "oom"),
        ("there is no ROOM left", "unknown"),
        ("cannot decrypt secret API", "unknown"),
        ("", "unknown"),
    ],
)
def test_an_error_of_our_own_is_classified_by_its_text(error, expected):
    assert of_internal(error) == expected


@pytest.mark.parametrize(
    ("error_class", "retried"),
    [
        ("budget", False),
        ("timeout", True),
        ("oom", False),
        ("rate_limited", True),
        ("auth", False),
        ("client", False),
        ("server", True),
        ("connection", True),
        ("transient", True),
        ("unknown", True),
    ],
)
def test_some_classes_are_worth_another_try(error_class, retried):
    assert (ErrorClass(error_class) in RETRYABLE) is retried


def test_only_an_unwell_endpoint_opens_a_circuit_and_calls_for_a_fallback():
    """What the request did wrong, it does wrong everywhere."""
    assert set(ENDPOINT_AT_FAULT) == {
        "server",
        "timeout",
        "connection",
        "transient",
        "rate_limited",
    }


@given(st.integers(100, 999).filter(lambda status: not 200 <= status < 300))
def test_every_failed_status_has_a_class(status):
    assert of_status(status) in ErrorClass


def test_no_redirect_is_retried():
    """T28."""
    assert not {of_status(status) for status in range(300, 400)} & RETRYABLE
