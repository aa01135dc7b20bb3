"""HTTP face of job code's reports (api 9.26), written once for both doors (design 5.1)."""

from typing import Final, Protocol

from litestar import Router
from litestar.enums import HttpMethod

from strait_server.base.db.database import Database
from strait_server.base.errors import Unauthorized
from strait_server.base.http.bodies import decode
from strait_server.base.http.exchange import Answer
from strait_server.base.http.faces import Face, Request, json_answer, mount
from strait_server.tenancy.access.model import Actor
from strait_server.work.queue.model import Run, RunEvent
from strait_server.work.sdk import service as sdk
from strait_server.work.sdk.model import Complete, Fail, Heard, Log, Progress
from strait_server.work.sdk.service import Reports, Speaker

_JSON: Final = (b"content-type", b"application/json")
_TAGS: Final = ("job code",)
_HEADERS: Final = ("X-SDK-Version",)


class Context(Protocol):
    """What reports need of the process."""

    @property
    def database(self) -> Database: ...
    @property
    def reports(self) -> Reports: ...


async def get_own_payload(context: Context, request: Request) -> Answer:
    """Get the payload of the run, as it is. Possible until the token expires."""
    actor, speaker = request.exchange.actor, _speaker(request)
    async with context.database.connection(actor.project_id if actor else None) as db:
        return Answer(200, [_JSON], await sdk.payload(db, speaker))


async def log_event(context: Context, request: Request) -> Answer:
    """Add a line to the run's story.

    A message has at most 16,384 characters and data 64 KiB. A run keeps its
    newest 10,000 events. Answers 409 when the run is not under way.
    """
    log = decode(request.body, Log)
    return json_answer(201, await context.reports.log(_speaker(request), log))


async def report_progress(context: Context, request: Request) -> Answer:
    """Add to the run's story how far it got: 0 to 100 percent, and perhaps of what."""
    progress = decode(request.body, Progress)
    return json_answer(201, await context.reports.progress(_speaker(request), progress))


async def send_heartbeat(context: Context, request: Request) -> Answer:
    """Say that the run is alive. When it was canceled meanwhile, answers 409 and its status."""
    await context.reports.beat(_speaker(request))
    return json_answer(200, Heard())


async def complete_run(context: Context, request: Request) -> Answer:
    """End the run well, perhaps with a result.

    What its endpoint still answers is ignored. Completing again with the same
    result answers 200 and changes nothing. A result that misses the job's
    schema answers 422 and leaves the run open; one that is too large 413.
    """
    body = decode(request.body, Complete)
    run = await context.reports.complete(_speaker(request), bytes(body.result))
    return json_answer(200, run)


async def fail_run(context: Context, request: Request) -> Answer:
    """End the run as failed, without another attempt.

    With `retryable` only this attempt ends, and the run is queued for the next
    one, as long as its job allows another.
    """
    body = decode(request.body, Fail)
    run = await context.reports.fail(_speaker(request), body.error, retryable=body.retryable)
    return json_answer(200, run)


PAYLOAD: Final[Face[Context]] = Face(
    operation_id="getOwnPayload",
    method=HttpMethod.GET,
    path="/sdk/v1/runs/{run_id:str}/payload",
    call=get_own_payload,
    answers={200: object},
    tags=_TAGS,
    headers=_HEADERS,
)
LOG: Final[Face[Context]] = Face(
    operation_id="logEvent",
    method=HttpMethod.POST,
    path="/sdk/v1/runs/{run_id:str}/log",
    call=log_event,
    answers={201: RunEvent},
    body=Log,
    tags=_TAGS,
    headers=_HEADERS,
)
PROGRESS: Final[Face[Context]] = Face(
    operation_id="reportProgress",
    method=HttpMethod.POST,
    path="/sdk/v1/runs/{run_id:str}/progress",
    call=report_progress,
    answers={201: RunEvent},
    body=Progress,
    tags=_TAGS,
    headers=_HEADERS,
)
HEARTBEAT: Final[Face[Context]] = Face(
    operation_id="sendHeartbeat",
    method=HttpMethod.POST,
    path="/sdk/v1/runs/{run_id:str}/heartbeat",
    call=send_heartbeat,
    answers={200: Heard},
    tags=_TAGS,
    headers=_HEADERS,
)
COMPLETE: Final[Face[Context]] = Face(
    operation_id="completeRun",
    method=HttpMethod.POST,
    path="/sdk/v1/runs/{run_id:str}/complete",
    call=complete_run,
    answers={200: Run},
    body=Complete,
    tags=_TAGS,
    headers=_HEADERS,
    opt={"also_fails_with": (422,)},
)
FAIL: Final[Face[Context]] = Face(
    operation_id="failRun",
    method=HttpMethod.POST,
    path="/sdk/v1/runs/{run_id:str}/fail",
    call=fail_run,
    answers={200: Run},
    body=Fail,
    tags=_TAGS,
    headers=_HEADERS,
)

FACES: Final = (PAYLOAD, LOG, PROGRESS, HEARTBEAT, COMPLETE, FAIL)
router = Router("/", route_handlers=[mount(face) for face in FACES])


def _speaker(request: Request) -> Speaker:
    """Whom the run token speaks for; that it is the run in the path was asked before."""
    actor = request.exchange.actor
    if not isinstance(actor, Actor) or actor.run_id is None:
        raise Unauthorized("missing or invalid authorization header")
    return Speaker(actor.run_id, actor.attempt)
