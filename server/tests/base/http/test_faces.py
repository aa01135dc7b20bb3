"""Hot routes, mounted in Litestar (design 5.1)."""

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.enums import HttpMethod
from msgspec import Struct

from strait_server.base.errors import Forbidden, LimitReached, NotFound
from strait_server.base.http.bodies import decode
from strait_server.base.http.exchange import Exchange, enter
from strait_server.base.http.faces import CONTEXT, Face, admit, json_answer, mount, read_query
from strait_server.base.http.framework import JSONRequest, refuse
from strait_server.base.http.guards import LIMITS
from strait_server.base.http.limits import AddressLimits, Limiter, Rate


class Greeting(Struct, frozen=True):
    name: str = "nobody"


class Greeted(Struct, frozen=True):
    text: str


class Somebody:
    id = "somebody"
    project_id = "proj_1"
    is_internal = False

    def may(self, scope):
        return scope == "runs:write"


async def greet(context, request):
    """Greet somebody."""
    if request.path["run_id"] == "gone":
        raise NotFound("run not found")
    name = decode(request.body, Greeting).name
    loud = request.query.get("loud") == "1"
    text = f"{context['word']} {name}"
    return json_answer(
        202, Greeted(text.upper() if loud else text), headers=[(b"x-greeted", b"yes")]
    )


GREET = Face(
    operation_id="greetRun",
    method=HttpMethod.POST,
    path="/v1/runs/{run_id:str}/greet",
    call=greet,
    answers={202: Greeted},
    body=Greeting,
    scopes=["runs:write", "jobs:write"],
    at_most=2,
)


def limits():
    return AddressLimits(Limiter(), everything=Rate(100), triggers=Rate())


def an_exchange(actor=None):
    return Exchange(request_id="req-1", address="192.0.2.1", secure=False, headers={}, actor=actor)


@pytest.fixture
async def client():
    app = Litestar(
        [mount(GREET)],
        request_class=JSONRequest,
        exception_handlers={Exception: refuse},
        state=State({CONTEXT: {"word": "hello"}, LIMITS: limits()}, deep_copy=False),
        openapi_config=None,
        logging_config=None,
    )

    async def entered(scope, receive, send):
        enter(scope, an_exchange(Somebody()))
        await app(scope, receive, send)

    transport = httpx.ASGITransport(entered)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
        yield client


async def test_a_mounted_face_answers_what_its_function_says(client):
    answer = await client.post("/v1/runs/r1/greet?loud=1", json={"name": "ada"})

    assert answer.status_code == 202
    assert answer.headers["x-greeted"] == "yes"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"text": "HELLO ADA"}


async def test_a_face_gets_the_body_as_it_came(client):
    answer = await client.post("/v1/runs/r1/greet", content=b"")

    assert answer.json() == {"text": "hello nobody"}


async def test_a_face_fails_in_the_envelope(client):
    missing = await client.post("/v1/runs/gone/greet")
    malformed = await client.post("/v1/runs/r1/greet", content=b"{")

    assert (missing.status_code, missing.json()["message"]) == (404, "run not found")
    assert malformed.status_code == 400


async def test_a_mounted_face_is_guarded(client):
    for _ in range(2):
        await client.post("/v1/runs/r1/greet")

    assert (await client.post("/v1/runs/r1/greet")).status_code == 429


def test_the_other_door_asks_the_same_questions():
    counted = limits()
    for _ in range(2):
        admit(GREET, an_exchange(Somebody()), counted)

    with pytest.raises(LimitReached):
        admit(GREET, an_exchange(Somebody()), counted)


def test_the_other_door_names_the_scope_that_is_missing():
    class Nobody(Somebody):
        def may(self, scope):
            return False

    with pytest.raises(Forbidden, match="insufficient permissions: requires runs:write"):
        admit(GREET, an_exchange(Nobody()), limits())


@pytest.mark.parametrize(
    ("text", "query"),
    [(b"", {}), (b"a=1&a=2&b=", {"a": "2", "b": ""}), (b"a=x%20y+z", {"a": "x y z"})],
)
def test_a_query_is_read_into_texts(text, query):
    assert read_query(text) == query
