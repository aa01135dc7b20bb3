"""Reading one run, which everybody who waits for it does over and over (design 5.1)."""

from typing import Final, Protocol

from litestar.enums import HttpMethod

from strait_server.base.db.database import Database
from strait_server.base.errors import Invalid
from strait_server.base.http.exchange import Answer
from strait_server.base.http.faces import Face, Request, json_answer, mount
from strait_server.base.http.pages import Page, read_page
from strait_server.work.queue.model import Run, Status
from strait_server.work.runs.model import AskedRuns
from strait_server.work.runs.service import listing, reading
from strait_server.work.runs.service.means import Means
from strait_server.work.runs.service.references import read_id

_DEAD: Final = AskedRuns(status=Status.DEAD_LETTER)


class Context(Protocol):
    """What reading needs of the process."""

    @property
    def database(self) -> Database: ...
    @property
    def run_means(self) -> Means: ...


async def get_run(context: Context, request: Request) -> Answer:
    """Get a run, with its payload and its result."""
    run_id, project_id = read_id(request.path["run_id"]), _project_id(request)
    async with context.database.connection(project_id) as db:
        return json_answer(200, await reading.get(db, project_id, run_id))


async def list_dead_letters(context: Context, request: Request) -> Answer:
    """List the dead letters of the project, the newest first.

    A dead letter has used up its attempts and waits for somebody to replay it.
    Payloads and results of more than 16 KiB are left out.
    """
    page = read_page(request.query.get("limit"), request.query.get("cursor"))
    project_id = _project_id(request)
    if project_id is None:
        raise Invalid("project_id is required")
    async with context.database.connection(project_id) as db:
        found = await listing.list_runs(db, context.run_means, project_id, _DEAD, page)
    return json_answer(200, found)


DEAD_LETTERS: Final[Face[Context]] = Face(
    operation_id="listDeadLetters",
    method=HttpMethod.GET,
    path="/v1/runs/dlq",
    call=list_dead_letters,
    answers={200: Page[Run]},
    scopes=["runs:read"],
    tags=["runs"],
    parameters=["limit", "cursor"],
)
GET_RUN: Final[Face[Context]] = Face(
    operation_id="getRun",
    method=HttpMethod.GET,
    path="/v1/runs/{run_id:str}",
    call=get_run,
    answers={200: Run},
    scopes=["runs:read"],
    tags=["runs"],
)

# The first that fits a path answers it: `dlq` would fit the second as well.
FACES: Final = (DEAD_LETTERS, GET_RUN)
HANDLERS: Final = tuple(mount(face) for face in FACES)


def _project_id(request: Request) -> str | None:
    actor = request.exchange.actor
    return actor.project_id if actor else None
