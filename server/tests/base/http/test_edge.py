"""What happens to every request at the edge (api 1, behaviour 13.10, 15.3)."""

import asyncio
import io
import json
from ipaddress import ip_network

import httpx
import pytest
import structlog

from strait_server.base.errors import Conflict
from strait_server.base.http.clients import Proxies
from strait_server.base.http.edge import Edge, Rules
from strait_server.base.http.exchange import Answer, exchange_of, send_answer
from strait_server.base.http.headers import Cors
from strait_server.base.http.limits import AddressLimits, Limiter, Rate
from strait_server.base.settings import LogFormat, LogLevel
from strait_server.base.telemetry.access_log import AccessLog
from strait_server.base.telemetry.metrics import HttpMetrics

SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-xss-protection": "0",
    "content-security-policy": "default-src 'none'",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "x-permitted-cross-domain-policies": "none",
    "x-api-version": "v1",
}


NO_LIMIT = Rate()


async def echo(scope, receive, send):
    """Answer with the body, and with what the edge found out."""
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message.get("more_body"):
            break
    exchange = exchange_of(scope)
    told = {
        "body": body.decode(),
        "address": exchange.address,
        "secure": exchange.secure,
        "query": scope["query_string"].decode(),
    }
    await send_answer(Answer(200, [], json.dumps(told).encode()), send)


def an_edge(app=echo, *, rate=NO_LIMIT, metrics=None, log=None, **rules):
    usual = {
        "timeout_seconds": 5.0,
        "body_limit": lambda path: 100 if path == "/large" else 10,
        "proxies": Proxies([ip_network("10.0.0.0/8")]),
        "cors": Cors(["*"], credentials=False),
    }
    return Edge(
        app,
        Rules(**{**usual, **rules}),
        metrics=metrics or HttpMetrics(),
        limits=AddressLimits(Limiter(), everything=rate, triggers=NO_LIMIT),
        access_log=log or a_log()[0],
    )


def a_log():
    """Make an access log, and say how to read it."""
    file = io.BytesIO()
    log = AccessLog(LogLevel.INFO, LogFormat.JSON, file=file)

    def lines():
        log.flush()
        return [json.loads(line) for line in file.getvalue().splitlines()]

    return log, lines


def entering(edge, *, peer="203.0.113.5", scheme="http"):
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(edge, client=(peer, 1234)), base_url=f"{scheme}://api.example"
    )


async def ask(edge, method="GET", path="/", *, peer="203.0.113.5", scheme="http", **said):
    async with entering(edge, peer=peer, scheme=scheme) as client:
        return await client.request(method, path, **said)


async def test_every_answer_has_the_security_headers():
    answer = await ask(an_edge())

    assert {name: answer.headers[name] for name in SECURITY} == SECURITY
    assert "strict-transport-security" not in answer.headers


async def test_head_is_get_without_the_body():
    """RFC 9110, 9.3.2."""
    log, lines = a_log()
    edge = an_edge(log=log)

    whole = await ask(edge)
    head = await ask(edge, "HEAD")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert [(line["method"], line["bytes"]) for line in lines()] == [
        ("GET", len(whole.content)),
        ("HEAD", 0),
    ]


async def test_the_last_requests_are_written_down_at_the_end():
    file = io.BytesIO()
    edge = an_edge(log=AccessLog(LogLevel.INFO, LogFormat.JSON, file=file))
    await ask(edge)

    edge.close()

    assert len(file.getvalue().splitlines()) == 1


async def test_a_failure_has_them_too():
    async def fail(scope, receive, send):
        raise Conflict("no")

    answer = await ask(an_edge(fail))

    assert answer.status_code == 409
    assert {name: answer.headers[name] for name in SECURITY} == SECURITY


async def test_a_route_may_have_a_policy_of_its_own():
    async def page(scope, receive, send):
        policy = (b"content-security-policy", b"style-src 'unsafe-inline'")
        await send_answer(Answer(200, [policy], b""), send)

    answer = await ask(an_edge(page))

    assert answer.headers.get_list("content-security-policy") == ["style-src 'unsafe-inline'"]


async def test_browsers_are_told_to_stay_on_https():
    secure = await ask(an_edge(), scheme="https")
    behind_proxy = await ask(an_edge(), peer="10.0.0.1", headers={"X-Forwarded-Proto": "https"})
    pretending = await ask(an_edge(), headers={"X-Forwarded-Proto": "https"})

    wanted = "max-age=63072000; includeSubDomains"
    assert secure.headers["strict-transport-security"] == wanted
    assert behind_proxy.headers["strict-transport-security"] == wanted
    assert "strict-transport-security" not in pretending.headers


async def test_a_request_id_is_adopted():
    answer = await ask(an_edge(), headers={"X-Request-Id": "req-1"})

    assert answer.headers["x-request-id"] == "req-1"


@pytest.mark.parametrize("wanted", ["", "a b", "x" * 129, "<script>", "ä"])
async def test_a_request_id_that_is_no_id_is_replaced(wanted):
    answer = await ask(an_edge(), headers={"X-Request-Id": wanted.encode()})

    assert len(answer.headers["x-request-id"]) == 36


async def test_a_forwarded_address_counts_only_from_our_proxies():
    """T111."""
    spoofed = await ask(an_edge(), headers={"X-Forwarded-For": "198.51.100.7"})
    forwarded = await ask(an_edge(), peer="10.0.0.1", headers={"X-Forwarded-For": "198.51.100.7"})

    assert spoofed.json()["address"] == "203.0.113.5"
    assert forwarded.json()["address"] == "198.51.100.7"


async def test_an_address_has_a_limit_however_it_calls_itself():
    """T111."""
    edge = an_edge(rate=Rate(2, 60.0))
    for spoofed in ("198.51.100.1", "198.51.100.2"):
        answer = await ask(edge, headers={"X-Forwarded-For": spoofed, "X-Real-IP": spoofed})
        assert answer.status_code == 200

    refused = await ask(edge, headers={"X-Forwarded-For": "198.51.100.3"})

    assert refused.status_code == 429
    assert refused.json()["message"] == "rate limit exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-limit"] == "2"
    assert refused.headers["x-ratelimit-remaining"] == "0"


async def test_health_has_no_limit():
    edge = an_edge(rate=Rate(1, 60.0))

    answers = [await ask(edge, path="/health/ready") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_a_body_that_is_announced_too_large_is_refused():
    answer = await ask(an_edge(), "POST", content=b"x" * 11)

    assert answer.status_code == 413
    assert answer.json()["code"] == "payload_too_large"


async def test_a_body_that_is_not_announced_is_counted():
    async def chunks():
        for _ in range(3):
            yield b"x" * 5

    answer = await ask(an_edge(), "POST", content=chunks())

    assert answer.status_code == 413


async def test_some_paths_take_more():
    answer = await ask(an_edge(), "POST", "/large", content=b"x" * 100)

    assert answer.json()["body"] == "x" * 100


async def test_a_bug_answers_500_with_the_request_id():
    async def crash(scope, receive, send):
        raise RuntimeError("secret detail")

    with structlog.testing.capture_logs() as lines:
        answer = await ask(an_edge(crash), headers={"X-Request-Id": "req-9"})

    assert answer.status_code == 500
    assert answer.json() == {
        "error": "internal error",
        "code": "internal_error",
        "message": "internal error",
        "request_id": "req-9",
    }
    assert [line["event"] for line in lines] == ["request failed"]


async def test_a_request_that_takes_too_long_answers_503():
    async def never(scope, receive, send):
        await asyncio.Event().wait()

    answer = await ask(an_edge(never, timeout_seconds=0.02))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["message"] == "the request took too long"


async def test_an_answer_that_has_begun_may_take_its_time():
    """A stream must not end in a second answer."""

    async def stream(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        past_the_deadline = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, past_the_deadline.set)
        await past_the_deadline.wait()
        await send({"type": "http.response.body", "body": b"done"})

    answer = await ask(an_edge(stream, timeout_seconds=0.02))

    assert answer.content == b"done"


async def test_a_failure_after_the_beginning_is_left_to_the_server():
    async def break_off(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await ask(an_edge(break_off))


async def test_a_nul_in_a_path_or_a_query_is_refused():
    """T118d."""
    path = await ask(an_edge(), path="/v1/jobs/a%00b")
    query = await ask(an_edge(), path="/?name=a%00b")

    assert path.status_code == query.status_code == 400


async def test_repeated_parameters_may_be_marked_as_arrays():
    answer = await ask(an_edge(), path="/?status[]=a&status[]=b")

    assert answer.json()["query"] == "status=a&status=b"


async def test_any_page_may_read_what_it_gets():
    answer = await ask(an_edge(), headers={"Origin": "https://app.example"})

    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "Link, X-Request-Id, X-API-Version"


async def test_only_the_pages_of_the_list_may_read_what_they_get():
    cors = Cors(["https://app.example"], credentials=True)

    ours = await ask(an_edge(cors=cors), headers={"Origin": "https://app.example"})
    other = await ask(an_edge(cors=cors), headers={"Origin": "https://evil.example"})

    assert ours.headers["access-control-allow-origin"] == "https://app.example"
    assert ours.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in other.headers
    assert ours.headers["vary"] == other.headers["vary"] == "Origin"


async def test_a_preflight_is_answered_at_the_edge():
    answer = await ask(
        an_edge(),
        "OPTIONS",
        headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"},
    )

    assert answer.status_code == 204
    assert answer.content == b""
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-max-age"] == "300"
    assert "X-Project-Id" in answer.headers["access-control-allow-headers"]
    assert "PATCH" in answer.headers["access-control-allow-methods"]


async def test_each_request_is_one_line_in_the_log_without_its_secrets():
    log, lines = a_log()

    await ask(
        an_edge(log=log),
        path="/v1/runs?token=strait_secret&limit=3",
        headers={"User-Agent": "curl", "X-Request-Id": "req-1"},
    )

    [line] = lines()
    del line["time"], line["duration_ms"], line["bytes"]
    assert line == {
        "level": "info",
        "msg": "request",
        "method": "GET",
        "path": "/v1/runs",
        "status": 200,
        "remote_addr": "203.0.113.5",
        "user_agent": "curl",
        "request_id": "req-1",
        "query": "token=[REDACTED]&limit=3",
        "content_length": 0,
        "actor_id": None,
        "project_id": None,
    }


async def test_a_refusal_is_a_warning_in_the_log():
    log, lines = a_log()

    await ask(an_edge(log=log), "POST", content=b"x" * 11)

    assert [line["level"] for line in lines()] == ["warn"]


async def test_requests_are_counted_by_status():
    metrics = HttpMetrics()

    await ask(an_edge(metrics=metrics))
    await ask(an_edge(metrics=metrics), "POST", content=b"x" * 11)

    [family] = metrics.duration.collect()
    count = {
        sample.labels["status"]: sample.value
        for sample in family.samples
        if sample.name.endswith("_count")
    }
    assert count == {"200": 1, "413": 1}
    [inflight] = next(iter(metrics.inflight.collect())).samples
    assert inflight.value == 0


async def test_a_client_that_leaves_in_the_middle_is_no_bug():
    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    sent = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [],
        "client": None,
        "scheme": "http",
    }
    with structlog.testing.capture_logs() as lines:
        await an_edge()(scope, receive, send)

    assert sent[0]["status"] == 400
    assert lines == []
