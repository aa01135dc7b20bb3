"""Reading and refusing endpoint URLs (behaviour 3.8, api 11.5, T29)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strait_server.base.errors import Invalid
from strait_server.base.outbound import urls
from strait_server.base.outbound.urls import WEBHOOK_PORTS, EndpointPolicy

STRICT = EndpointPolicy()
PRIVATE = EndpointPolicy(allow_private=True)

INSIDE = """
    localhost LOCALHOST localhost. app.localhost metadata.google.internal
    127.0.0.1 127.0.0.1. 0.0.0.0 10.1.2.3 169.254.169.254 100.100.100.200 192.168.0.1
    255.255.255.255 2130706433 0x7f000001 0177.0.0.1 0x7f.1 127.1 017700000001 127.0.0.0x1
    [::] [::1] [::ffff:127.0.0.1] [::ffff:8.8.8.8] [0:0:0:0:0:ffff:7f00:1] [64:ff9b::7f00:1]
    [2002:7f00:1::] [fd00:ec2::254] [fe80::1] [::127.0.0.1]
"""


def refusal(url, policy=STRICT):
    with pytest.raises(Invalid) as caught:
        urls.parse(url, policy, field="endpoint_url")
    return caught.value.message.removeprefix("invalid endpoint_url: ")


@pytest.mark.parametrize(
    ("url", "origin", "named", "line"),
    [
        ("https://example.com", "https example.com:443", "example.com", "/"),
        ("HTTP://Example.COM/a/b", "http example.com:80", "example.com", "/a/b"),
        ("https://example.com:443/", "https example.com:443", "example.com", "/"),
        ("http://example.com:443/", "http example.com:443", "example.com:443", "/"),
        ("http://example.com:/x", "http example.com:80", "example.com", "/x"),
        ("http://example.com.:81/", "http example.com:81", "example.com:81", "/"),
        ("http://a.example?b=1&c[]=2#d", "http a.example:80", "a.example", "/?b=1&c[]=2"),
        ("http://a.example/b%20c;d=1?e=%2F", "http a.example:80", "a.example", "/b%20c;d=1?e=%2F"),
        ("http://a.example/é?{x}", "http a.example:80", "a.example", "/%C3%A9?%7Bx%7D"),
        ("http://bücher.example/", "http xn--bcher-kva.example:80", "xn--bcher-kva.example", "/"),
        ("http://BÜCHER.example/", "http xn--bcher-kva.example:80", "xn--bcher-kva.example", "/"),
        ("http://my_service.example/", "http my_service.example:80", "my_service.example", "/"),
        ("http://8.8.8.8/", "http 8.8.8.8:80", "8.8.8.8", "/"),
        ("http://8.8.8.8./", "http 8.8.8.8:80", "8.8.8.8", "/"),
        ("http://[2606:0::1]:81/", "http [2606::1]:81", "[2606::1]:81", "/"),
        ("https://[2606::1]", "https [2606::1]:443", "[2606::1]", "/"),
    ],
)
def test_a_url_becomes_what_is_dialled_and_sent(url, origin, named, line):
    target = urls.parse(url, STRICT)

    assert f"{target.origin.scheme} {target.origin}" == origin
    assert target.head == f" {line} HTTP/1.1\r\nHost: {named}\r\n".encode()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must be an absolute http or https URL"),
        ("/hook", "must be an absolute http or https URL"),
        ("example.com/hook", "must be an absolute http or https URL"),
        ("ftp://example.com", "must be an absolute http or https URL"),
        ("file:///etc/passwd", "must be an absolute http or https URL"),
        ("gopher://example.com", "must be an absolute http or https URL"),
        ("http://", "host is missing"),
        ("http:///hook", "host is missing"),
        ("http:/example.com", "host is missing"),
        ("http:example.com", "host is missing"),
        ("http://:80/", "host is missing"),
        ("http://./", "host is missing"),
        ("http://user@example.com/", "must not contain a user name or password"),
        ("http://user:pass@example.com/", "must not contain a user name or password"),
        ("http://example.com@127.0.0.1/", "must not contain a user name or password"),
        ("http://@example.com/", "must not contain a user name or password"),
        (r"http://example.com\@127.0.0.1/", "must not contain a user name or password"),
        ("http://exa mple.com/", "must not contain spaces or control characters"),
        (" http://example.com/", "must not contain spaces or control characters"),
        ("http://example.com/\r\nX-Evil: 1", "must not contain spaces or control characters"),
        ("http://exam\tple.com/", "must not contain spaces or control characters"),
        ("http://example.com/\x00", "must not contain spaces or control characters"),
        ("http://example.com:0/", "port is not valid"),
        ("http://example.com:65536/", "port is not valid"),
        ("http://example.com:123456/", "host is not valid"),
        ("http://example.com:-1/", "host is not valid"),
        ("http://example.com:\uff18\uff10/", "host is not valid"),
        ("http://example.com:80:80/", "host is not valid"),
        ("http://exa%6Dple.com/", "host is not valid"),
        ("http://example..com/", "host is not valid"),
        ("http://-example.com/", "host is not valid"),
        ("http://example-.com/", "host is not valid"),
        (r"http://example.com\evil/", "host is not valid"),
        ("http://example.com,evil/", "host is not valid"),
        ("http://" + "a" * 64 + ".com/", "host is not valid"),
        ("http://" + "a." * 130 + "com/", "host is not valid"),
        ("http://[fe80::1%25eth0]/", "host is not valid"),
        ("http://[fe80::1%eth0]/", "host is not valid"),
        ("http://[::1/", "host is not valid"),
        ("http://[v1.a]/", "host is not valid"),
        ("http://[127.0.0.1]/", "host is not valid"),
        ("http://[2606:4700::1]evil.com/", "host is not valid"),
        ("http://evil.com[2606:4700::1]/", "host is not valid"),
        ("http://2606:4700::1/", "host is not valid"),
        ("http://faß.de/", "host is not valid"),
        ("http://\uff11\uff12\uff17.0.0.1/", "host is not valid"),
        ("http://127\u30020\u30020\u30021/", "host is not valid"),
        ("http://ex\u200dample.com/", "host is not valid"),
        ("http://℀.com/", "host is not valid"),
        ("http://example.com/\ud800", "must be valid text"),
        ("http://example.com/" + "a" * 2030, "must be at most 2048 characters"),
    ],
)
def test_a_malformed_url_is_refused_also_where_private_ones_are_allowed(url, reason):
    assert refusal(url) == reason
    assert refusal(url, PRIVATE) == reason


@pytest.mark.parametrize("host", INSIDE.split())
def test_a_host_inside_our_walls_is_refused(host):
    """T29; the same hosts pass where private endpoints are allowed."""
    assert refusal(f"http://{host}/") == "host is not allowed"
    assert urls.parse(f"http://{host}/", PRIVATE).origin.allow_private


def test_plain_http_is_refused_where_tls_is_required():
    policy = EndpointPolicy(require_tls=True, allow_private=True)

    assert refusal("http://example.com/", policy) == "https is required"
    assert urls.parse("https://example.com/", policy).origin.port == 443


def test_only_listed_ports_may_be_written():
    policy = EndpointPolicy(ports=WEBHOOK_PORTS)

    assert refusal("https://example.com:22/", policy) == "port 22 is not allowed"
    assert urls.parse("https://example.com:8443/", policy).origin.port == 8443
    assert urls.parse("https://example.com/", policy).origin.port == 443


def test_the_reason_names_the_field_the_caller_names():
    with pytest.raises(Invalid, match=r"^invalid url: host is missing$"):
        urls.parse("http://", STRICT)


def test_a_target_does_not_show_its_path():
    target = urls.parse("https://example.com/hook?token=hush", STRICT)

    assert repr(target) == "Target(example.com:443)"


def test_a_strict_and_a_lenient_target_are_different_origins():
    url = "https://example.com/"

    assert urls.parse(url, STRICT).origin != urls.parse(url, PRIVATE).origin


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "http://a.example/"]))
def test_any_text_gives_one_clean_request_line_or_a_refusal(text, start):
    try:
        target = urls.parse(start + text, PRIVATE)
    except Invalid:
        return
    line, host, end = target.head.split(b"\r\n")
    assert end == b""
    assert line.startswith(b" /")
    assert line.endswith(b" HTTP/1.1")
    assert line.count(b" ") == 2
    assert host.startswith(b"Host: ")
    assert target.head.isascii()
