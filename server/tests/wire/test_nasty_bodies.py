"""Whatever is in a body, the answer says what is wrong with it, and where (api 1.2, 3.3; T118d).

The nastiness is made from the document, for every field of every body, however
deep; a new field is tried as soon as it is there. Both doors are among the
operations.
"""

import json

import pytest
import world
from wire.nastiness import Bodies
from wire.routes import DOCUMENT, OPERATIONS, a_token, belongings

from strait_server.work.queue.model import Status

BODIES = Bodies(DOCUMENT)
WITH_BODY = [name for name, one in OPERATIONS.items() if "requestBody" in one.described]
JSON = {"Content-Type": "application/json"}
INTERNAL = {"createProject"}
DEEP = 100_000

MALFORMED = {
    "half an object": b"{",
    "a comma too many": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "something after it": b"{} x",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "no text": b"\xff\xfe\x00",
    "invalid UTF-8 in a value": b'{"a":"\xff"}',
    "invalid UTF-8 in a key": b'{"\xff":1}',
    "an overlong encoding": b'{"a":"\xc0\x80"}',
    "half a character": b'{"a":"\\ud800"}',
    "no number": b'{"a":NaN}',
    "infinity": b'{"a":Infinity}',
    "a number no machine has": b'{"a":' + b"9" * 5000 + b"}",
    "one key twice": b'{"a":1,"a":2}',
    "one key twice, spelled differently": b'{"a":1,"\\u0061":2}',
    "one key twice, somewhere inside": b'{"a":[{"b":1,"b":2}]}',
    "too many arrays": b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "too many objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "too many arrays, and no end": b"[" * DEEP,
}
NO_OBJECT = [b"[]", b"1", b"null", b'"words"', b"true"]
RIGHT = {
    "no bytes": b"",
    "a NUL for a blank": b"{\0}",
    "what nobody knows": b'{"nobody":{"knows":[1,2.5,null]}}',
}


@pytest.fixture
async def send(db, api, door):
    """Send a body to an operation, as somebody who may, about things that are there."""
    things = await belongings(db, world.PROJECT, status=Status.EXECUTING)
    owner = await door((await world.a_key(db)).key)
    service = await door(internal=True)
    code = await door(a_token(api, things))

    async def send(name, body):
        one = OPERATIONS[name]
        who = service if name in INTERNAL else code if one.path.startswith("/sdk") else owner
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await who.request(one.method, one.about(things), content=text, headers=JSON)

    return send


def fields(name):
    return BODIES.fields(OPERATIONS[name].described)


@pytest.mark.parametrize("name", WITH_BODY)
async def test_a_field_that_breaks_a_rule_is_named(send, name):
    """Api 3.3: wrong type, missing, too long, too large, unknown, unreadable."""
    unsaid = []
    for field in fields(name):
        for nasty in [*BODIES.missing(field), *BODIES.wrong(field)]:
            answer = await send(name, nasty.body)
            if answer.status_code not in {400, 413} or not is_named(nasty.path, answer.json()):
                unsaid.append((nasty.path, str(nasty.body)[:80], answer.status_code, answer.text))

    assert unsaid == []


def is_named(path, problem):
    """Whether a finding is about the place, or one inside of it, or the list it is in."""
    message = problem["message"].removeprefix("invalid request body: ")
    in_batch = [
        f"jobs[{refused['index']}].{finding}"
        for refused in problem.get("errors", ())
        for finding in refused.get("details", ())
    ]
    places = (f"{path}: ", f"{path}.", f"{path}[", f"{path.removesuffix('[0]')}: ")
    findings = [message, *problem.get("details", ()), *in_batch]
    return any(finding.startswith(places) for finding in findings)


@pytest.mark.parametrize("name", WITH_BODY)
async def test_a_strange_value_is_no_reason_to_fail(send, name):
    """T118d: right or wrong, it is dealt with."""
    failed = []
    for field in fields(name):
        for nasty in BODIES.strange(field):
            answer = await send(name, nasty.body)
            if answer.status_code >= 500:
                failed.append((nasty.path, str(nasty.body)[:80], answer.status_code))

    assert failed == []


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_malformed_is_refused(send, name, text):
    """Api 1.2."""
    answer = await send(name, text)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("invalid request body: ")
    assert "`" not in answer.json()["message"]  # words of the decoder


@pytest.mark.parametrize("name", WITH_BODY)
async def test_a_key_that_stands_twice_is_named(send, name):
    answer = await send(name, b'{"a":[{"twice":1,"twice":2}]}')

    assert answer.json()["message"] == (
        'invalid request body: an object has the same key twice: "twice"'
    )


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.parametrize("text", NO_OBJECT)
async def test_a_body_is_an_object(send, name, text):
    answer = await send(name, text)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith("invalid request body: body: must be object, not ")


@pytest.mark.parametrize("name", WITH_BODY)
async def test_what_is_unusual_is_as_good_as_an_empty_body(send, name):
    """Api 1.2: no bytes, a NUL between the words, and fields that nobody knows."""
    usual = await send(name, b"{}")

    answers = [await send(name, text) for text in RIGHT.values()]

    assert usual.status_code < 500
    assert {answer.status_code for answer in answers} <= {usual.status_code, 409}
    assert not [answer.text for answer in answers if "invalid request body" in answer.text]
