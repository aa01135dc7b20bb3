"""The server answers the routes of the contract, to whom it should, and no others (api 9).

`data.csv` is the contract as far as this server keeps it. That `openapi.json`
is what the code produces is seen to in `walls/test_reference.py`.
"""

import pytest
from wire.routes import OPERATIONS, contract

ROUTES = contract()
DOCUMENTED = {(one.method, one.path): one.described for one in OPERATIONS.values()}
REFERENCE = [route for route in ROUTES if route.path.startswith("/reference")]
WHO = {"bearerAuth": "caller", "internalSecret": "caller", "runToken": "run"}


@pytest.mark.parametrize("route", [it for it in ROUTES if it not in REFERENCE], ids=str)
def test_a_route_of_the_contract_is_documented(route):
    assert (route.method, route.path) in DOCUMENTED


def test_no_route_is_missing_from_the_contract():
    assert DOCUMENTED.keys() - {(route.method, route.path) for route in ROUTES} == set()


@pytest.mark.parametrize("route", REFERENCE, ids=str)
async def test_the_reference_is_there_for_everybody(door, route):
    answer = await (await door()).request(route.method, route.path)

    assert answer.status_code in {200, 301}


@pytest.mark.parametrize("route", [it for it in ROUTES if it.path.startswith("/v1")], ids=str)
def test_a_route_says_which_scope_it_needs(route):
    assert DOCUMENTED[route.method, route.path]["x-required-scopes"] == [route.scope]


@pytest.mark.parametrize("route", [it for it in ROUTES if "/v1" in it.path], ids=str)
def test_a_route_says_who_may_call_it(route):
    security = DOCUMENTED[route.method, route.path]["security"]

    assert {WHO[scheme] for choice in security for scheme in choice} == {route.who}


@pytest.mark.parametrize("slug", ["batch", "batch-enable", "batch-disable"])
async def test_a_word_of_a_path_is_no_slug(client, slug):
    """Api 9.28: static words win over parameters, so a job of that name would be out of reach."""
    job = {"name": "A job", "slug": slug, "endpoint_url": "http://endpoint.example/"}

    answer = await client.post("/v1/jobs", json=job)

    assert answer.status_code == 400
    assert [it for it in answer.json()["details"] if it.startswith("slug: ")]


async def test_the_dead_letters_are_no_run(client):
    """Api 9.28."""
    assert (await client.get("/v1/runs/dlq")).json() == {"data": [], "has_more": False}
