"""Both doors give the same bytes, errors included (ADR 2; design 5.1).

Each request goes through the express lane and past it, in the same world: what
the first has done is taken back before the second. Ids and tokens, which are
new each time, are masked; nothing else is.
"""

import copy
import re
from typing import Any

import httpx
import pytest
import world
from msgspec import Struct
from msgspec.structs import replace

from strait_server.app.api import build
from strait_server.app.express import Express
from strait_server.base import clock
from strait_server.work.queue.model import Status

NEW = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|eyJ[\w-]+\.[\w-]+\.[\w-]+"
)
TRIGGER = "/v1/jobs/resize/trigger"
BULK = "/v1/jobs/resize/trigger/bulk"
MEBIBYTE = 1024 * 1024
TOKEN = ("the run's token",)


class Asked(Struct, frozen=True):
    """A request, which usually is a trigger by somebody who may do everything."""

    path: str = TRIGGER
    body: bytes | list[bytes] = b""
    method: str = "POST"
    headers: dict[str, str] = {}
    scopes: tuple[str, ...] | None = ("*",)
    project: str = world.PROJECT
    job: dict[str, Any] = {}
    quota: dict[str, int] = {}


REQUESTS = {
    "no body": Asked(),
    "an empty object": Asked(body=b"{}"),
    "everything": Asked(
        body=b'{"payload":{"b":1.10,"a":9007199254740993},"tags":{"a":"b"},"metadata":{"m":"x"},'
        b'"priority":10,"ttl_secs":60,"concurrency_key":"k","idempotency_key":"i"}'
    ),
    "a delay": Asked(body=b'{"scheduled_at":"2020-01-01T00:00:00Z"}'),
    "a known key": Asked(body=b'{"idempotency_key":"known"}'),
    "a known key in a header": Asked(headers={"X-Idempotency-Key": "known"}),
    "a long key": Asked(headers={"Idempotency-Key": "k" * 257}),
    "a dry run": Asked(body=b'{"dry_run":true,"payload":[1]}'),
    "a caller without runs:write": Asked(scopes=("jobs:trigger",)),
    "a caller without jobs:trigger": Asked(scopes=("jobs:read",)),
    "a bad body and no permission": Asked(scopes=("jobs:read",), body=b"{"),
    "nobody": Asked(scopes=None),
    "an unknown key": Asked(
        scopes=None, headers={"Authorization": "Bearer strait_" + "0" * 64}, body=b"{"
    ),
    "a wrong secret": Asked(scopes=None, headers={"X-Internal-Secret": "guess"}),
    "our own service": Asked(
        scopes=None,
        headers={"X-Internal-Secret": world.INTERNAL_SECRET, "X-Project-Id": world.PROJECT},
    ),
    "our own service without a project": Asked(
        scopes=None, headers={"X-Internal-Secret": world.INTERNAL_SECRET}
    ),
    "another project": Asked(project="proj_2"),
    "no such job": Asked("/v1/jobs/nope/trigger"),
    "a strange name": Asked("/v1/jobs/%C3%A9%20x%2e/trigger"),
    "a name with a slash": Asked("/v1/jobs/a%2Fb/trigger"),
    "no name": Asked("/v1/jobs//trigger"),
    "a trailing slash": Asked(TRIGGER + "/"),
    "two trailing slashes": Asked(TRIGGER + "//"),
    "a leading slash too many": Asked("//v1/jobs/resize/trigger"),
    "a query": Asked(TRIGGER + "?a=1&b[]=2"),
    "a NUL in the path": Asked("/v1/jobs/%00/trigger"),
    "too long a path": Asked(TRIGGER + "/more"),
    "another method": Asked(method="GET"),
    "yet another method": Asked(method="DELETE"),
    "no body of an answer": Asked(method="HEAD"),
    "a preflight": Asked(
        method="OPTIONS", headers={"Origin": "http://a", "Access-Control-Request-Method": "POST"}
    ),
    "another origin": Asked(headers={"Origin": "http://a"}),
    "malformed": Asked(body=b'{"payload":'),
    "a list": Asked(body=b"[]"),
    "a wrong type": Asked(body=b'{"priority":"high","ttl_secs":-1}'),
    "out of bounds": Asked(body=b'{"priority":11,"ttl_secs":-1}'),
    "no UTF-8": Asked(body=b'{"payload":"\xff"}'),
    "half a character": Asked(body=rb'{"payload":"\ud800"}'),
    "a key twice": Asked(body=b'{"payload":{"a":1,"a":2}}'),
    "nested too deep": Asked(body=b'{"payload":' + b"[" * 600 + b"]" * 600 + b"}"),
    "NUL characters": Asked(body=b'{"payload":{"a":"x\\u0000y"}\0}'),
    "plain text": Asked(body=b'{"priority":1}', headers={"Content-Type": "text/plain"}),
    "a form": Asked(
        body=b"priority=1", headers={"Content-Type": "application/x-www-form-urlencoded"}
    ),
    "parts": Asked(body=b"{}", headers={"Content-Type": "multipart/form-data; boundary=x"}),
    "too large a payload": Asked(body=b'{"payload":"' + b"x" * 5 * MEBIBYTE + b'"}'),
    "too large a body": Asked(body=b'{"payload":"' + b"x" * 6 * MEBIBYTE + b'"}'),
    "a body in pieces": Asked(body=[b'{"pay', b'load":', b"[1]}"]),
    "too many pieces": Asked(body=[b"x" * MEBIBYTE] * 7),
    "a disabled job": Asked(job={"enabled": False}),
    "a paused job": Asked(job={"paused": True}),
    "a schema": Asked(job={"payload_schema": b'{"type":"object","required":["a","b"]}'}),
    "a window": Asked(job={"execution_window_cron": "0 0 1 1 *"}),
    "a full quota": Asked(quota={"max_queued_runs": 1}),
    "busy workers": Asked(quota={"max_executing_runs": 1}),
    "too fast": Asked(job={"rate_limit_max": 1, "rate_limit_window_secs": 60}),
    "a bulk": Asked(BULK, b'{"items":[{},{"idempotency_key":"known"},{"priority":3}]}'),
    "a bulk by its other name": Asked("/v1/jobs/resize/trigger-bulk", b'{"items":[{}]}'),
    "an empty bulk": Asked(BULK, b'{"items":[]}'),
    "a bulk without items": Asked(BULK),
    "too many items": Asked(BULK, b'{"items":[' + b"{}," * 500 + b"{}]}"),
    "a bad item": Asked(BULK, b'{"items":[{},{"priority":11}]}'),
    "an item with a bad time": Asked(BULK, b'{"items":[{"scheduled_at":"2020-01-01T00:00:00Z"}]}'),
    "a bulk over a limit": Asked(
        BULK, b'{"items":[{},{}]}', job={"rate_limit_max": 1, "rate_limit_window_secs": 60}
    ),
}

RUN = "/v1/runs/{run}"
SDK = "/sdk/v1/runs/{run}"
REQUESTS_ABOUT_A_RUN = {
    "a run": Asked(RUN, method="GET"),
    "a run in capitals": Asked("/v1/runs/{RUN}", method="GET"),
    "no such run": Asked("/v1/runs/00000000-0000-7000-8000-000000000000", method="GET"),
    "what is no id": Asked("/v1/runs/nonsense", method="GET"),
    "no id": Asked("/v1/runs/", method="GET"),
    "a run of another project": Asked(RUN, method="GET", project="proj_2"),
    "a run and no permission": Asked(RUN, method="GET", scopes=("runs:write",)),
    "a run and another method": Asked(RUN, method="PATCH"),
    "dead letters": Asked("/v1/runs/dlq?limit=1", method="GET"),
    "a bad limit": Asked("/v1/runs/dlq?limit=0", method="GET"),
    "a bad cursor": Asked("/v1/runs/dlq?cursor=x", method="GET"),
    "a heartbeat": Asked(SDK + "/heartbeat", scopes=TOKEN),
    "a heartbeat with a version": Asked(
        SDK + "/heartbeat", scopes=TOKEN, headers={"X-SDK-Version": "2.1"}
    ),
    "a heartbeat of nobody": Asked(SDK + "/heartbeat", scopes=None),
    "a heartbeat by a key": Asked(SDK + "/heartbeat"),
    "a heartbeat of another run": Asked(
        "/sdk/v1/runs/00000000-0000-7000-8000-000000000000/heartbeat", scopes=TOKEN
    ),
    "a log": Asked(SDK + "/log", b'{"message":"m","level":"info"}', scopes=TOKEN),
    "a bad log": Asked(SDK + "/log", b'{"message":1}', scopes=TOKEN),
    "progress": Asked(SDK + "/progress", b'{"percent":50}', scopes=TOKEN),
    "bad progress": Asked(SDK + "/progress", b'{"percent":"half"}', scopes=TOKEN),
    "a payload": Asked(SDK + "/payload", method="GET", scopes=TOKEN),
    "a result": Asked(SDK + "/complete", b'{"result":{"n":1.10}}', scopes=TOKEN),
    "no result": Asked(SDK + "/complete", scopes=TOKEN),
    "too large a result": Asked(
        SDK + "/complete", b'{"result":"' + b"x" * MEBIBYTE + b'"}', scopes=TOKEN
    ),
    "a failure": Asked(SDK + "/fail", b'{"error":"it broke"}', scopes=TOKEN),
    "a failure without words": Asked(SDK + "/fail", scopes=TOKEN),
}


class Doors:
    """The way through the express lane, and the one past it."""

    def __init__(self, edge):
        past = copy.copy(edge)
        past._app = edge._app._app
        self._apps = {"lane": edge, "past": past}

    async def ask(self, door, asked, **headers):
        """Send a request through a door, and give its answer with new ids masked."""
        transport = httpx.ASGITransport(self._apps[door], client=("192.0.2.1", 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
            answer = await client.request(
                asked.method,
                f"http://api.example{asked.path}",
                content=_pieces(asked.body) if isinstance(asked.body, list) else asked.body,
                headers={"X-Request-Id": "req-1", **asked.headers, **headers},
            )
        return answer.status_code, answer.headers.raw, NEW.sub(b"<new>", answer.content)


async def _pieces(parts):
    for part in parts:
        yield part


@pytest.fixture
def doors(api):
    return Doors(api.app)


async def authorized(db, asked):
    if asked.scopes is None:
        return {}
    key = await world.a_key(db, *asked.scopes, project_id=asked.project)
    return {"Authorization": f"Bearer {key.key}"}


async def both(raw, doors, asked, **headers):
    """Send it through either door, in the same world."""
    answers = []
    for door in ("lane", "past"):
        trial = raw.transaction()
        await trial.start()
        answers.append(await doors.ask(door, asked, **headers))
        await trial.rollback()
    return answers


@pytest.mark.parametrize("name", REQUESTS)
async def test_both_doors_answer_a_trigger_the_same(db, raw, api, doors, name):
    asked = REQUESTS[name]
    headers = await authorized(db, asked)
    if asked.quota:
        await world.a_quota(db, **asked.quota)
    job = await world.a_job(
        db, slug="resize", **{key: asked.job[key] for key in asked.job if key.startswith("rate")}
    )
    mine = await authorized(db, Asked())
    await doors.ask("lane", Asked(headers={"Idempotency-Key": "known"}), **mine)
    if "max_executing_runs" in asked.quota:
        await world.claim(db, 1)
    await world.change_job(db, job, **asked.job)
    api.services.definitions.forget()

    lane, past = await both(raw, doors, asked, **headers)

    assert lane == past


@pytest.mark.parametrize("name", REQUESTS_ABOUT_A_RUN)
async def test_both_doors_answer_about_a_run_the_same(db, raw, api, doors, name):
    asked = REQUESTS_ABOUT_A_RUN[name]
    run = await world.a_run(db, status=Status.EXECUTING, payload=b'{"n":1.10}')
    if asked.scopes == TOKEN:
        token = api.services.tokens.issue(
            run.id,
            project_id=run.project_id,
            attempt=1,
            expires_at=clock.unix() + 60,
            now=clock.unix(),
        )
        headers = {"Authorization": f"Bearer {token}"}
    else:
        headers = await authorized(db, asked)
    path = asked.path.format(run=run.id, RUN=str(run.id).upper())

    lane, past = await both(raw, doors, replace(asked, path=path), **headers)

    assert lane == past


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("no body", 201),
        ("a known key", 200),
        ("a dry run", 200),
        ("malformed", 400),
        ("nobody", 401),
        ("a caller without jobs:trigger", 403),
        ("another project", 404),
        ("another method", 405),
        ("a paused job", 409),
        ("too large a body", 413),
        ("too many pieces", 413),
        ("a full quota", 429),
        ("too fast", 429),
    ],
)
async def test_a_request_is_answered_as_it_should(db, raw, api, doors, name, status):
    await test_both_doors_answer_a_trigger_the_same(db, raw, api, doors, name)
    headers = await authorized(db, REQUESTS[name])

    assert (await doors.ask("lane", REQUESTS[name], **headers))[0] == status


async def test_a_bug_looks_the_same(db, raw, doors):
    headers = await authorized(db, Asked())
    await world.a_job(db, slug="resize")
    await db.raw.execute("alter table runs add constraint none check (priority > 10)")

    lane, past = await both(raw, doors, Asked(), **headers)

    assert lane == past
    assert lane[0] == 500
    assert b"internal error" in lane[2]


async def test_a_database_that_is_away_looks_the_same(db, database, postgres, doors):
    headers = await authorized(db, Asked())
    await world.a_job(db, slug="resize")
    assert (await doors.ask("lane", Asked(), **headers))[0] == 201
    name = await db.raw.fetchval("select current_database()")

    await postgres.refuse(name)
    answers = [await doors.ask(door, Asked(), **headers) for door in ("lane", "past")]
    await postgres.allow(name)

    assert answers[0] == answers[1]
    assert answers[0][0] == 503


@pytest.mark.parametrize("asked", [Asked(), Asked(BULK, b'{"items":[{}]}')], ids=["one", "bulk"])
async def test_both_doors_count_triggers_by_address(db, raw, api, asked):
    """Behaviour 13.6: ten a minute, or as many as the settings say, and five bulks."""
    headers = await authorized(db, Asked())
    await world.a_job(db, slug="resize")
    settings = replace(api.services.settings, trigger_rate_limit_requests=5)
    services = replace(api.services, settings=settings)

    statuses = {}
    for door in ("lane", "past"):
        doors = Doors(build(services))
        statuses[door] = [(await doors.ask(door, asked, **headers))[0] for _ in range(7)]

    assert statuses["lane"] == statuses["past"] == [201] * 5 + [429] * 2


def test_the_lane_stands_before_the_framework(api):
    """Otherwise the tests above compare a door with itself."""
    assert isinstance(api.app._app, Express)
