"""How calls are made, against a real server (cli 5; api 3.1, 4)."""

import socket

import pytest
from edge import HANGS_UP, Says

from strait_cli.client import MAX_PAGES, Client, segment
from strait_cli.errors import (
    AuthError,
    CliError,
    ConfigError,
    Conflict,
    NoKey,
    NotFound,
    RateLimited,
    Rejected,
    ServerError,
    Unreachable,
)
from strait_cli.settings import resolve
from strait_cli.transport import Transport
from strait_cli.version import VERSION

JOBS = "/v1/jobs"
BUSY = Says(503, {"error": "overloaded", "code": "service_unavailable"})


@pytest.fixture
def calls(edge):
    """Make a client of the edge; it notes its waits instead of sleeping."""
    made = []

    def make(server=None, **flags):
        flags = {"server": server or edge.url, "api_key": "strait_test"} | flags
        settings = resolve(flags, {}, [], stdin_tty=False, stdout_tty=False)
        transport = Transport(settings, trace=lambda _: None)
        made.append(transport)
        client = Client(settings, transport, note=lambda _: None, sleep=waits.append)
        client.waits = waits
        return client

    waits: list[float] = []
    yield make
    for transport in made:
        transport.close()


def test_a_call_says_who_is_calling(calls, edge):
    edge.on("GET", JOBS, Says(200, {"data": []}))

    calls(project="proj_1").get(JOBS)

    [asked] = edge.asked
    assert asked.headers["authorization"] == "Bearer strait_test"
    assert asked.headers["x-project-id"] == "proj_1"
    assert asked.headers["user-agent"] == f"strait/{VERSION}"
    assert asked.headers["accept"] == "application/json"


def test_without_a_key_no_call_is_made(calls, edge):
    with pytest.raises(NoKey):
        calls(api_key="").get(JOBS)

    assert edge.asked == []


@pytest.mark.parametrize("flags", [{"api_key": "ключ"}, {"project": "a\nb"}])
def test_what_no_header_can_hold_is_refused(calls, edge, flags):
    with pytest.raises(ConfigError, match="ASCII"):
        calls(**flags).get(JOBS)

    assert edge.asked == []


def test_health_needs_no_key_and_never_sees_one(calls, edge):
    edge.on("GET", "/health", Says(200, {"status": "ok"}))

    calls().get("/health")

    assert "authorization" not in edge.asked[0].headers


@pytest.mark.parametrize("trouble", [BUSY, Says(429), Says(500, b"<html>"), HANGS_UP])
def test_a_read_is_tried_three_times(calls, edge, trouble):
    edge.on("GET", JOBS, trouble, trouble, Says(200, {"data": []}))
    client = calls()

    assert client.get(JOBS) == {"data": []}

    assert 1 <= client.waits[0] <= 1.25
    assert 2 <= client.waits[1] <= 2.5


def test_after_three_tries_the_refusal_stands(calls, edge):
    edge.on("GET", JOBS, BUSY)

    with pytest.raises(ServerError, match="overloaded"):
        calls().get(JOBS)

    assert len(edge.asked) == 3


def test_the_servers_delay_is_honoured(calls, edge):
    edge.on("GET", JOBS, Says(429, None, {"Retry-After": "7"}), Says(200, {}))
    client = calls()

    client.get(JOBS)

    assert client.waits == [7]


def test_a_long_delay_is_told_instead_of_waited_for(calls, edge):
    edge.on("GET", JOBS, Says(429, {"error": "slow down"}, {"Retry-After": "900"}))

    with pytest.raises(RateLimited) as caught:
        calls().get(JOBS)

    assert caught.value.suggestion == "try again in 900 s"
    assert len(edge.asked) == 1


def test_the_idempotency_key_is_the_same_on_every_try(calls, edge):
    edge.on("POST", JOBS, BUSY, BUSY, Says(201, {"id": "1"}))

    calls().post(JOBS, {}, key="k-1")

    assert [asked.headers["idempotency-key"] for asked in edge.asked] == ["k-1"] * 3


def test_a_command_without_a_key_of_its_own_is_sent_once(calls, edge):
    """Trap C4."""
    edge.on("POST", JOBS, BUSY)

    with pytest.raises(ServerError):
        calls().post(JOBS, {})

    assert len(edge.asked) == 1


def test_a_command_that_may_have_arrived_is_not_sent_again(calls, edge):
    edge.on("POST", JOBS, HANGS_UP)

    with pytest.raises(Unreachable):
        calls().post(JOBS, {}, key="k-1")

    assert len(edge.asked) == 1


def test_an_impatient_call_takes_the_first_answer(calls, edge):
    edge.on("GET", JOBS, BUSY)

    with pytest.raises(ServerError):
        calls().call("GET", JOBS, patient=False)

    assert len(edge.asked) == 1


def test_nobody_listening_is_unreachable(calls):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{free.getsockname()[1]}"

        with pytest.raises(Unreachable, match=f"cannot reach {server}"):
            calls(server=server).get("/health")


def test_a_server_that_does_not_answer_is_unreachable(calls):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        server = f"http://127.0.0.1:{deaf.getsockname()[1]}"

        with pytest.raises(Unreachable, match=r"did not answer within 0\.05 s"):
            calls(server=server, timeout=0.05).get("/health")


@pytest.mark.parametrize("server", ["localhost:8080", "ftp://x", "http://", "nonsense"])
def test_a_server_must_be_a_url(calls, server):
    with pytest.raises(ConfigError, match="URL"):
        calls(server=server)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, AuthError),
        (403, AuthError),
        (404, NotFound),
        (409, Conflict),
        (422, Rejected),
    ],
)
def test_a_refusal_becomes_its_own_error(calls, edge, status, kind):
    edge.on("GET", JOBS, Says(status, {"error": "no"}))

    with pytest.raises(kind):
        calls().get(JOBS)


@pytest.mark.parametrize(
    "body",
    [
        {"error": "bad cron", "code": "validation_error", "details": ["cron"], "request_id": "r"},
        {
            "error": {"message": "bad cron", "code": "validation_error", "details": ["cron"]},
            "request_id": "r",
        },
        {"message": "bad cron", "code": "validation_error", "details": ["cron"], "request_id": "r"},
    ],
)
def test_every_shape_of_the_envelope_is_read(calls, edge, body):
    edge.on("GET", JOBS, Says(400, body))

    with pytest.raises(Rejected) as caught:
        calls().get(JOBS)

    error = caught.value
    assert (error.message, error.api_code) == ("bad cron", "validation_error")
    assert (error.details, error.request_id) == (["cron"], "r")


def test_keys_outside_the_envelope_become_details(calls, edge):
    edge.on("GET", JOBS, Says(400, {"error": "limit", "current": 5, "limit": 5}))

    with pytest.raises(Rejected) as caught:
        calls().get(JOBS)

    assert caught.value.details == {"current": 5, "limit": 5}


def test_the_request_id_is_found_in_the_header_too(calls, edge):
    edge.on("GET", JOBS, Says(404, None, {"X-Request-Id": "req-9"}))

    with pytest.raises(NotFound, match="HTTP 404") as caught:
        calls().get(JOBS)

    assert caught.value.request_id == "req-9"


def test_a_redirect_is_not_followed(calls, edge):
    edge.on("GET", JOBS, Says(302, None, {"Location": "http://elsewhere.example/"}))

    with pytest.raises(CliError, match="moved to http://elsewhere"):
        calls().get(JOBS)


def test_an_answer_that_is_not_json_is_refused(calls, edge):
    edge.on("GET", JOBS, Says(200, b"<html>hello</html>"))

    with pytest.raises(CliError, match="not JSON"):
        calls().get(JOBS)


def page(first, last, cursor):
    return Says(
        200,
        {
            "data": [{"id": str(number)} for number in range(first, last)],
            "has_more": bool(cursor),
            **({"next_cursor": cursor} if cursor else {}),
        },
    )


def test_cursors_are_followed_to_the_end(calls, edge):
    edge.on("GET", JOBS, page(0, 100, "a"), page(100, 200, "b"), page(200, 230, ""))

    listing = calls().rows(JOBS)

    assert [row["id"] for row in listing.rows] == [str(number) for number in range(230)]
    assert not listing.more
    assert [asked.query.get("cursor") for asked in edge.asked] == [None, ["a"], ["b"]]
    assert {asked.query["limit"][0] for asked in edge.asked} == {"100"}


def test_a_limit_fetches_no_more_than_it_shows(calls, edge):
    edge.on("GET", JOBS, page(0, 100, "a"), page(100, 120, "b"))

    listing = calls().rows(JOBS, limit=120)

    assert len(listing.rows) == 120
    assert listing.more
    assert [asked.query["limit"] for asked in edge.asked] == [["100"], ["20"]]


def test_a_list_that_never_ends_is_cut_and_says_so(calls, edge):
    edge.on("GET", JOBS, page(0, 1, "again"))

    listing = calls().rows(JOBS)

    assert listing.more
    assert len(edge.asked) == MAX_PAGES


def test_a_bare_array_is_a_list(calls, edge):
    edge.on("GET", "/v1/projects", Says(200, [{"id": "a"}, {"id": "b"}]))

    assert len(calls().rows("/v1/projects").rows) == 2


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "a\\b", "a\n", "%2e", "x" * 257])
def test_what_cannot_be_an_id_never_reaches_a_path(value):
    """Cli 4.2."""
    with pytest.raises(ConfigError):
        segment(value)


def test_an_id_is_quoted_for_the_path():
    assert segment("approval:1:ship it") == "approval%3A1%3Aship%20it"
