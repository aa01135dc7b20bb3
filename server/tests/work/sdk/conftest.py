"""What the tests of job code's reports have in common: a process that hears them, and its door."""

import asyncio

import pytest
import serving
import world
from msgspec import Struct

from strait_server.app.authentication import Authentication, Gate
from strait_server.base.clock import unix
from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.db.database import PINNED_PLANS, Line
from strait_server.base.http.faces import CONTEXT
from strait_server.base.http.limits import Limiter
from strait_server.work.sdk.routes import router
from strait_server.work.sdk.service import Policy, Reports

LARGEST_RESULT = 1000


class Context(Struct):
    database: object
    reports: Reports


@pytest.fixture
async def reports(api):
    """Hear job code out, on what the test sees."""
    line = Line(api.services.database, PINNED_PLANS)
    reports = Reports(
        line,
        api.services.definitions,
        Policy(worth=world.WORTH, max_result_bytes=LARGEST_RESULT),
    )
    writing = asyncio.create_task(reports.run())
    yield reports
    writing.cancel()
    await asyncio.wait([writing])


@pytest.fixture
def tokens():
    return RunTokens(world.ENVIRON["JWT_SIGNING_KEY"])


@pytest.fixture
def token(tokens):
    """Write a token for a run: for its first attempt, if nothing is said."""

    def token(run, *, attempt=1, lives=60.0):
        now = unix()
        return tokens.issue(
            run.id, project_id=run.project_id, attempt=attempt, expires_at=now + lives, now=now
        )

    return token


@pytest.fixture
async def sdk(api, reports, tokens, token):
    """Call as the code of a run: `sdk(run, "POST", "log", …)`, with its token or another."""
    gate = Gate(api.services.keyring, tokens, world.INTERNAL_SECRET, Limiter())
    context = Context(api.services.database, reports)
    app = serving.routes(router, guards=[Authentication(gate)], state={CONTEXT: context})
    async with serving.client_of(app) as client:

        async def call(run, method, path, *, shown=None, headers=None, **request):
            bearer = {"Authorization": f"Bearer {shown or token(run)}"}
            return await client.request(
                method, f"/sdk/v1/runs/{run.id}/{path}", headers=bearer | (headers or {}), **request
            )

        yield call
