"""The contract tells the limits of all that can be sent (api 6.3, 9).

But for what no schema can say: payloads, results and data have limits in bytes.
"""

import pytest
from wire.routes import DOCUMENT, OPERATIONS

LIMITS = {
    "array": {"maxItems"},
    "object": {"maxProperties"},
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "maximum"},
    "string": {"maxLength"},
}
BY_FORM = {"enum", "format"}
UNHELD = {
    "createApiKey.scopes": "there are only so many, and one said twice counts once",
    "failRun.error": "what is too long is cut",
    "reportProgress.eta_seconds": "it is stored as it was said",
}
"""Where there is no limit, and why not."""
REFERENCES = {"project_id", "job_id", "ids[]", "job_ids[]", "run_ids[]"}
"""What must name something that exists: too long a name names nothing."""
WITH_BODY = [name for name, it in OPERATIONS.items() if "requestBody" in it.described]


def unlimited(name):
    """Tell which parts of an operation's body may be as large as one likes."""
    [content] = OPERATIONS[name].described["requestBody"]["content"].values()
    return {place for place, schema in parts(content["schema"], name) if not is_limited(schema)}


def parts(schema, place):
    """Go through everything in a body that has a type, with its place."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for choice in schema.get("anyOf", ()):
        yield from parts(choice, place)
    if "type" in schema:
        yield place, schema
    for field, described in schema.get("properties", {}).items():
        yield from parts(described, f"{place}.{field}")
    for inside, mark in (("items", "[]"), ("additionalProperties", "{}"), ("propertyNames", "{*}")):
        if inside in schema:
            yield from parts(schema[inside], place + mark)


def is_limited(schema):
    if "properties" in schema:
        return True
    return BY_FORM & schema.keys() or LIMITS.get(schema["type"], set()) <= schema.keys()


@pytest.mark.parametrize("name", WITH_BODY)
def test_whatever_is_sent_has_a_limit_that_the_contract_tells(name):
    found = {place for place in unlimited(name) if place.rpartition(".")[2] not in REFERENCES}

    assert found - UNHELD.keys() == set()


@pytest.mark.parametrize("place", UNHELD)
def test_what_has_no_limit_is_there_and_has_none(place):
    assert place in unlimited(place.partition(".")[0])
