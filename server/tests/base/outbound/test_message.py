"""Writing exactly one request (behaviour 3.2, 13.10; header injection)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.outbound import urls
from strait_server.base.outbound.message import OWN_HEADERS, encode
from strait_server.base.outbound.outcome import Kind, OutboundError
from strait_server.base.outbound.urls import EndpointPolicy

TARGET = urls.parse("https://example.com:8443/hook?a=1", EndpointPolicy())


def refusal(headers, method="POST"):
    with pytest.raises(OutboundError) as caught:
        encode(method, TARGET, headers, b"")
    assert caught.value.kind is Kind.REFUSED
    return caught.value.message


def test_a_request_is_its_line_our_headers_yours_and_the_body():
    message = encode(
        "POST", TARGET, [("X-Run-ID", "r1"), (b"X-Note", b"caf\xc3\xa9\t!")], b'{"n":1}'
    )

    assert message == (
        b"POST /hook?a=1 HTTP/1.1\r\nHost: example.com:8443\r\nContent-Length: 7\r\n"
        b'X-Run-ID: r1\r\nX-Note: caf\xc3\xa9\t!\r\n\r\n{"n":1}'
    )


def test_an_empty_body_is_announced():
    assert b"Content-Length: 0\r\n\r\n" in encode("POST", TARGET, [], b"")


def test_text_is_sent_as_utf_8():
    assert "X-Note: café\r\n".encode() in encode("POST", TARGET, [("X-Note", "café")], b"")


@pytest.mark.parametrize("control", [chr(code) for code in {*range(32), 127} - {9}])
def test_a_control_character_in_a_value_is_refused(control):
    assert "control character" in refusal([("X-Note", f"a{control}b")])
    assert "control character" in refusal([("X-Note", f"a{control}b".encode())])


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\r\n\r\nPOST / HTTP/1.1", "a\n", "\r"])
def test_a_value_cannot_start_a_line_of_its_own(value):
    assert "control character" in refusal([("X-Note", value), ("X-Other", "b")])


@pytest.mark.parametrize(
    "name", ["", "X Note", "X-Note:", "X-Note\r\n", "X\x00", "é", "(x)", "X\t"]
)
def test_a_name_that_is_no_token_is_refused(name):
    assert refusal([(name, "a")]) == "a header name holds a character that is not allowed"
    assert refusal([(name.encode(), "a")]) == "a header name holds a character that is not allowed"


@pytest.mark.parametrize("name", sorted(OWN_HEADERS))
def test_headers_that_frame_the_message_are_ours(name):
    assert refusal([(name.title(), "1")]) == f"header {name.title()} cannot be set"


@pytest.mark.parametrize("method", ["", "PO ST", "POST\r\n", "HEAD", "CONNECT"])
def test_a_method_we_cannot_frame_is_refused(method):
    assert refusal([], method) == "the method is not allowed"


def test_a_value_that_is_no_text_is_refused():
    assert refusal([("X-Note", "\ud800")]) == "a header value is not valid text"


def test_a_refusal_does_not_show_the_value():
    assert "hush" not in refusal([("X-Secret-Key", "hush\n")])


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=20) | st.binary(max_size=20))))
def test_whatever_is_put_in_one_request_comes_out_or_none(headers):
    try:
        message = encode("POST", TARGET, headers, b"body")
    except OutboundError:
        return
    head, _, body = message.partition(b"\r\n\r\n")
    assert body == b"body"
    assert len(head.split(b"\r\n")) == 3 + len(headers)
