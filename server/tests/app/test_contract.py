"""The document keeps its word: generated requests get documented answers (api 9.1).

Schemathesis makes requests from the document, right ones and wrong ones, and
holds every answer against it: no 5xx, and no status, type or body that is not
documented. The requests are the same in every run.
"""

import asyncio
import socket
from contextlib import suppress

import pytest
import schemathesis
import world
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks

from strait_server.app import api as app
from strait_server.app.door import open_door

EXAMPLES = 5
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_every_answer_is_documented(database, db, api, mode):
    key = await world.a_key(db)
    schema = schemathesis.openapi.from_dict(app.document())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        async with open_door(api.app, listening):
            await asyncio.to_thread(
                _try_everything, schema, mode, f"http://{host}:{port}", f"Bearer {key.key}"
            )


def _try_everything(schema, mode, address, authorization):
    for result in schema.get_all_operations():
        operation = result.ok()

        @QUICK
        @given(case=operation.as_strategy(generation_mode=mode))
        def attempt(case):
            answer = case.call(base_url=address, headers={"Authorization": authorization})
            case.validate_response(answer, checks=CHECKS)

        with suppress(Unsatisfiable):  # there is nothing to be wrong about
            attempt()
