"""What is no HTTP, hardly HTTP, or HTTP as few speak it (api 1, 3.1; behaviour 13.10).

It comes through a real socket to a real process, which lives on, answers in the
envelope or hangs up. Both doors are tried: `/v1/jobs/nope/trigger` is a hot
route, `/v1/jobs` is not.
"""

import asyncio
import json
import socket

import pytest
from wire.line import Line

from strait_server.app.door import open_door

HOT = "/v1/jobs/nope/trigger"
COLD = "/v1/jobs"
LIVING = b"GET /health HTTP/1.1\r\nHost: here\r\n\r\n"


@pytest.fixture
async def dial():
    """Open a line to a port of this machine."""
    writers = []

    async def dial(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        writers.append(writer)
        return Line(reader, writer)

    yield dial
    for writer in writers:
        writer.transport.abort()


@pytest.fixture
async def line(server, dial):
    return await dial(server.port)


def request(method="GET", path=COLD, *headers, body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: here", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def post(path, *headers, body=b""):
    return request("POST", path, *headers, body=body)


@pytest.fixture(params=[HOT, COLD])
def path(request):
    """Take a path of either door."""
    return request.param


MALFORMED = {
    "no HTTP at all": b"NONSENSE\r\n\r\n",
    "a method nobody knows": b"BREW /health HTTP/1.1\r\nHost: here\r\n\r\n",
    "a method in lower case": b"get /health HTTP/1.1\r\nHost: here\r\n\r\n",
    "a version to come": b"GET /health HTTP/3.0\r\nHost: here\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200,
    "every byte there is": bytes(range(256)),
    "no target": b"GET  HTTP/1.1\r\nHost: here\r\n\r\n",
    "a target that is no path": b"GET health HTTP/1.1\r\nHost: here\r\n\r\n",
    "a blank in the target": b"GET /a b HTTP/1.1\r\nHost: here\r\n\r\n",
    "a NUL in the target": b"GET /health\0 HTTP/1.1\r\nHost: here\r\n\r\n",
    "a raw byte in the target": b"GET /health\xff HTTP/1.1\r\nHost: here\r\n\r\n",
    "a target that never ends": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: here\r\n\r\n",
    "a lone CR in a header": b"GET /health HTTP/1.1\r\nHost: here\rX: y\r\n\r\n",
    "lone CRs for line ends": b"GET /health HTTP/1.1\rHost: here\r\r",
    "lone LFs for line ends": b"GET /health HTTP/1.1\nHost: here\n\n",
    "a blank in the name of a header": b"GET /health HTTP/1.1\r\nHo st: here\r\n\r\n",
    "a blank before the colon": b"GET /health HTTP/1.1\r\nHost : here\r\n\r\n",
    "a folded header": b"GET /health HTTP/1.1\r\nHost: here\r\nX: y\r\n z\r\n\r\n",
    "a NUL in a header": b"GET /health HTTP/1.1\r\nHost: here\r\nX: y\0z\r\n\r\n",
    "a length that is no number": post(COLD, "Content-Length: abc", body=b"{}"),
    "a negative length": post(COLD, "Content-Length: -1", body=b"{}"),
    "a length with a sign": post(COLD, "Content-Length: +2", body=b"{}"),
    "two lengths": post(COLD, "Content-Length: 2", "Content-Length: 3", body=b"{}"),
    "a length no machine has": post(COLD, "Content-Length: 99999999999999999999", body=b"{}"),
    "a length and chunks": post(
        COLD, "Content-Length: 2", "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"
    ),
    "another transfer encoding": post(COLD, "Transfer-Encoding: gzip", body=b"{}"),
    "a chunk of no size": post(COLD, "Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk of a size no machine has": post(
        COLD, "Transfer-Encoding: chunked", body=b"f" * 18 + b"\r\n{}\r\n0\r\n\r\n"
    ),
    "a chunk longer than it said": post(
        COLD, "Transfer-Encoding: chunked", body=b"2\r\n{}XX0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_malformed_is_refused_in_the_envelope(line, text):
    """And nothing more is heard on a line whose meaning is in doubt (request smuggling)."""
    line.say(text + LIVING)

    said = await line.hear()

    assert said.status == 400
    assert said.message == "malformed HTTP request"
    assert said.headers["content-type"] == "application/json"
    assert said.headers["x-content-type-options"] == "nosniff"
    assert said.headers["connection"] == "close"
    assert json.loads(said.body)["request_id"] == said.headers["x-request-id"]
    assert await line.hung_up()


@pytest.mark.parametrize(
    "headers",
    [b"X: " + b"a" * 70_000, b"\r\n".join(b"X-%05d: %030d" % (n, n) for n in range(2000))],
    ids=["a header of 70 kB", "2000 headers"],
)
async def test_a_head_has_a_size(line, headers):
    line.say(b"GET /health HTTP/1.1\r\n" + headers + b"\r\n\r\n")

    said = await line.hear()

    assert said.status == 431
    assert said.message == "request head too large: at most 65536 bytes"


async def test_a_head_that_never_ends_is_not_kept(line):
    """Its end need not come for it to be too large."""
    line.say(b"GET /health HTTP/1.1\r\nX: ")

    assert await line.flood(b"a" * 65_536, most=1 << 28) < 1 << 28


@pytest.mark.parametrize("path", ["/health", "/v1/runs/nope"])
async def test_after_a_head_request_the_connection_goes_on(line, path):
    """RFC 9110, 9.3.2: it has the length of a body, and no body."""
    line.say(request("HEAD", path) + LIVING)

    head, living = await line.hear(body=False), await line.hear()

    assert int(head.headers["content-length"]) > 0
    assert json.loads(living.body)["status"] == "ok"


async def test_a_head_of_a_reasonable_size_is_read(line):
    line.say(request("GET", "/health", "X: " + "a" * 30_000))

    assert (await line.hear()).status == 200


@pytest.fixture
async def hasty_port(api):
    """Serve where nobody waits for a head longer than a fifth of a second. Answers the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with open_door(api.app, listening, head_seconds=0.2):
            yield listening.getsockname()[1]


async def test_a_head_that_comes_too_slowly_is_given_up(dial, hasty_port):
    """Slow loris: nobody holds a connection by beginning a request."""
    line = await dial(hasty_port)
    line.say(b"GET /health HTTP/1.1\r\nHos")

    said = await line.hear()

    assert said.status == 408
    assert said.message == "request head took more than 0.2 seconds"
    assert await line.hung_up()


async def test_a_second_head_that_comes_too_slowly_is_given_up(dial, hasty_port):
    line = await dial(hasty_port)
    line.say(LIVING)
    first = await line.hear()
    line.say(b"GET /heal")

    assert (first.status, (await line.hear()).status) == (200, 408)


async def test_empty_lines_hold_no_connection(dial, hasty_port):
    line = await dial(hasty_port)
    line.say(b"\r\n\r\n")

    assert await line.hung_up()


async def test_a_body_that_does_not_come_is_not_waited_for(scene, server, dial):
    """The process of these tests gives a request three seconds."""
    lines = [await dial(server.port), await dial(server.port)]
    for line, path in zip(lines, (HOT, COLD), strict=True):
        line.say(post(path, f"Authorization: Bearer {scene.key}", "Content-Length: 9", body=b"{"))

    said = [await line.hear() for line in lines]

    assert [it.status for it in said] == [503, 503]
    assert {it.message for it in said} == {"the request took too long"}


async def test_whoever_leaves_in_the_middle_of_a_body_harms_nobody(scene, server, dial, path):
    line = await dial(server.port)
    line.say(post(path, f"Authorization: Bearer {scene.key}", "Content-Length: 10", body=b"{"))
    line.hang_up()

    other = await dial(server.port)
    other.say(LIVING)

    assert (await other.hear()).status == 200


async def test_a_body_may_come_in_chunks(scene, line, path):
    line.say(
        post(
            path,
            f"Authorization: Bearer {scene.key}",
            "Transfer-Encoding: chunked",
            body=b'1\r\n{\r\n8;ext=1\r\n"name":1\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n',
        )
    )

    said = await line.hear()

    assert said.status == (404 if path == HOT else 400)


async def test_chunks_are_counted(scene, line):
    """Api 1.2: there is a limit also for who does not say how much will come."""
    line.say(post(COLD, f"Authorization: Bearer {scene.key}", "Transfer-Encoding: chunked"))
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for _ in range(17):
        line.say(piece)

    said = await line.hear()

    assert said.status == 413
    assert said.message == "request body too large: at most 1048576 bytes"


async def test_a_length_that_is_too_large_is_refused_before_the_body(line, path):
    line.say(post(path, "Content-Length: 9999999999"))

    assert (await line.hear()).status == 413


async def test_who_expects_to_be_told_to_continue_is(scene, line, path):
    line.say(
        post(
            path,
            f"Authorization: Bearer {scene.key}",
            "Content-Length: 2",
            "Expect: 100-continue",
        )
    )
    first = await line.hear()
    line.say(b"{}")

    assert (first.status, (await line.hear()).status) == (100, 404 if path == HOT else 400)


async def test_who_expects_to_be_told_to_continue_is_told_no_first(line, path):
    """A body that nobody wants need not be sent."""
    line.say(post(path, "Content-Length: 2", "Expect: 100-continue"))

    assert (await line.hear()).status == 401


async def test_pipelined_requests_are_answered_in_order(scene, line):
    known = f"Authorization: Bearer {scene.key}"
    line.say(
        request("GET", "/v1/runs", known)
        + post(HOT, known, "Content-Length: 2", body=b"{}")
        + request("GET", "/v1/nothing", known)
        + LIVING
    )

    assert [(await line.hear()).status for _ in range(4)] == [200, 404, 404, 200]


async def test_http_1_0_is_answered_and_hung_up(line):
    line.say(b"GET /health HTTP/1.0\r\n\r\n")

    assert (await line.hear()).status == 200
    assert await line.hung_up()


async def test_an_absolute_target_is_a_path(line):
    """RFC 9112, 3.2.2."""
    line.say(request("GET", "http://elsewhere.example/health?x=y"))

    assert (await line.hear()).status == 200


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
async def test_an_upgrade_that_we_do_not_know_is_ignored(scene, line, upgrade):
    """Some clients ask for HTTP/2 in their first request, whatever it is."""
    known = f"Authorization: Bearer {scene.key}"
    asked = (known, "Connection: Upgrade, HTTP2-Settings", f"Upgrade: {upgrade}")
    line.say(post(HOT, *asked, "HTTP2-Settings: x", "Content-Length: 2", body=b"{}"))
    first = await line.hear()
    line.say(request("GET", "/v1/runs", known))

    assert (first.status, (await line.hear()).status) == (404, 200)


@pytest.mark.parametrize("target", ["/v1/jobs/%00", "/v1/jobs/%00/trigger", "/v1/jobs?slug=%00"])
async def test_an_encoded_nul_is_refused(scene, line, target):
    method = "POST" if target.endswith("trigger") else "GET"
    line.say(request(method, target, f"Authorization: Bearer {scene.key}", "Content-Length: 0"))

    said = await line.hear()

    assert said.status == 400
    assert said.message == "a path or a query cannot contain a NUL character"


@pytest.mark.parametrize(
    "target",
    [
        "/v1/jobs/%ff%fe",
        "/v1/runs/%ff",
        "/v1/jobs/" + "a" * 5000,
        "/v1/jobs/a%2Fb",
        "/v1/../health",
        "*",
    ],
    ids=lambda target: target[:20],
)
async def test_a_path_that_leads_nowhere_is_not_found(scene, line, target):
    line.say(request("GET", target, f"Authorization: Bearer {scene.key}"))

    assert (await line.hear()).status == 404


async def test_bytes_that_are_no_text_are_no_credentials(line):
    line.say(request("GET", COLD, "Authorization: Bearer \xff\xfe"))

    assert (await line.hear()).status == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "PROPFIND", "TRACE", "PATCH", "DELETE", "PUT"])
async def test_a_wrong_method_says_which_are_right(line, method, path):
    """Api 1.1. A HEAD hears the same without the body."""
    path = HOT if path == HOT else "/v1/jobs/batch"
    line.say(request(method, path, "Content-Length: 0"))

    said = await line.hear(body=method != "HEAD")

    assert said.status == 405
    assert {*said.headers["allow"].split(", ")} == {"OPTIONS", "POST"}
    if method != "HEAD":
        assert said.message == "method not allowed"


async def test_options_say_which_methods_are_right(scene, line, path):
    line.say(request("OPTIONS", path, f"Authorization: Bearer {scene.key}"))

    said = await line.hear()

    assert said.status == 204
    assert "POST" in said.headers["allow"]


async def test_a_page_may_ask_before_it_asks(line, path):
    """Api 1.4: the preflight of a browser."""
    asks = ("Origin: https://page.example", "Access-Control-Request-Method: POST")
    line.say(request("OPTIONS", path, *asks, "Access-Control-Request-Headers: x-project-id"))

    said = await line.hear()

    assert said.status == 204
    assert said.headers["access-control-allow-origin"] == "*"
    assert said.headers["access-control-max-age"] == "300"
    allowed = {name.lower() for name in said.headers["access-control-allow-headers"].split(", ")}
    assert {"authorization", "idempotency-key", "x-project-id", "x-request-id"} <= allowed


@pytest.mark.parametrize("target", [COLD, "/v1/nothing", HOT])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_both_forms_of_a_path_get_the_same_answer(scene, server, dial, target, slash):
    """Api 1.1, 13.1: never a redirect."""
    line = await dial(server.port)
    known = (f"Authorization: Bearer {scene.key}", "X-Request-Id: same", "Content-Length: 2")
    line.say(post(target, *known, body=b"{}") + post(target + slash, *known, body=b"{}"))

    assert await line.hear() == await line.hear()


async def test_every_answer_carries_what_belongs_into_each(line, path):
    """Api 1.4."""
    line.say(post(path, "Content-Length: 0", "X-Request-Id: req-1", "Origin: https://p.example"))

    said = await line.hear()

    assert said.headers["x-request-id"] == "req-1"
    assert said.headers["x-api-version"] == "v1"
    assert said.headers["access-control-expose-headers"] == "Link, X-Request-Id, X-API-Version"
    assert said.headers["content-security-policy"] == "default-src 'none'"
    assert "server" not in said.headers
