"""The document keeps its word: generated requests get documented answers (api 3, 9.1).

Schemathesis makes requests from the document, right ones and wrong ones, about
things that are there and things that are not, and holds every answer against
it. The requests are the same in every run; `FUZZ_SEED=7` makes others, and
`FUZZ_EXAMPLES=200` more of them.
"""

import asyncio
import os
import socket
from contextlib import suppress

import pytest
import schemathesis
import world
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from schemathesis.core.parameters import ParameterLocation
from wire.routes import DOCUMENT, a_token, belongings

from strait_server.app.door import open_door
from strait_server.work.queue.model import Status

SEED = os.environ.get("FUZZ_SEED")
QUICK = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "6")),
    deadline=None,
    derandomize=SEED is None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
OPERATIONS = {
    operation.definition.raw["operationId"]: operation
    for operation in (
        it.ok() for it in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    )
}
# Which run gets an operation further than to "this run is not …"; otherwise it is queued.
STATUS = {
    "replayRun": Status.FAILED,
    "replayDeadLetter": Status.DEAD_LETTER,
    "replayDlqRun": Status.DEAD_LETTER,
    "deleteJob": Status.COMPLETED,
}
SPARED = {"deleteProject"}  # it would be the last request that anybody answers


@pytest.fixture
async def address(api):
    """Serve at an address of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with open_door(api.app, listening):
            yield "http://{}:{}".format(*listening.getsockname())


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
async def test_every_answer_is_as_documented(database, db, api, address, mode):
    key = await world.a_key(db)
    for name, operation in OPERATIONS.items():
        of_job_code = operation.path.startswith("/sdk/")
        usual = Status.EXECUTING if of_job_code else Status.QUEUED
        things = await belongings(db, world.PROJECT, status=STATUS.get(name, usual))
        bearer = a_token(api, things) if of_job_code else key.key
        await asyncio.to_thread(
            _try, operation, mode, address, bearer, {} if name in SPARED else things
        )


def _try(operation, mode, address, bearer, things):
    """Send some requests of an operation, about these things or about what comes to mind."""

    @QUICK
    @given(case=operation.as_strategy(generation_mode=mode), real=st.booleans())
    def attempt(case, real):
        if real:
            case.path_parameters.update(
                {name: things[name] for name in case.path_parameters if name in things}
            )
        answer = case.call(base_url=address, headers={"Authorization": f"Bearer {bearer}"})
        refusal = (checks.negative_data_rejection,) if _is_body_wrong(case) else ()
        case.validate_response(answer, checks=[*CHECKS, *refusal])

    if SEED is not None:
        attempt = seed(int(SEED))(attempt)
    with suppress(Unsatisfiable):  # there is nothing to be wrong about
        attempt()


def _is_body_wrong(case):
    """Whether the body is what has to be refused: in queries, nothing is as good as absent."""
    body = case.meta.components.get(ParameterLocation.BODY)
    return body is not None and body.mode is GenerationMode.NEGATIVE
