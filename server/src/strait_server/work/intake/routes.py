"""HTTP face of triggers, written once for both doors (design 5.1)."""

from typing import Final, Protocol, TypeVar

from litestar import Router
from litestar.enums import HttpMethod
from msgspec.structs import replace

from strait_server.base.db.database import Database
from strait_server.base.errors import Invalid, NotFound
from strait_server.base.http.bodies import decode
from strait_server.base.http.exchange import Answer, Exchange
from strait_server.base.http.faces import Face, Request, json_answer, mount
from strait_server.base.ids import as_id
from strait_server.work.intake.model import (
    Plan,
    Triggered,
    TriggeredInBulk,
    TriggerJob,
    TriggerJobInBulk,
)
from strait_server.work.intake.service.admission import check_job
from strait_server.work.intake.service.triggers import Intake, Origin
from strait_server.work.jobs.service.definitions import Definition, Definitions

B = TypeVar("B", TriggerJob, TriggerJobInBulk)

_MAX_KEY: Final = 256
_BULK_PER_MINUTE: Final = 5


class Context(Protocol):
    """What triggers need of the process."""

    @property
    def database(self) -> Database: ...
    @property
    def definitions(self) -> Definitions: ...
    @property
    def intake(self) -> Intake: ...


async def trigger_job(context: Context, request: Request) -> Answer:
    """Start a run of a job.

    Answers 201 after the run is committed: from then on it is never lost. With
    an idempotency key (`Idempotency-Key` header, or `idempotency_key`) that
    stands for an earlier run, answers 200 and that run. `scheduled_at` delays
    the run; `dry_run` says what would be made and makes nothing. Limits answer
    429 with `Retry-After`, a paused job 409, a disabled one 400. A 503 can leave
    open whether the run was made: repeat it with the same key.
    """
    definition = await _definition(context, request)
    body = _body(definition, request, TriggerJob)
    key = _idempotency_key(request.exchange) or body.idempotency_key
    origin = _origin(request.exchange)
    if body.dry_run:
        async with context.database.connection(definition.job.project_id) as db:
            plan = await context.intake.plan(db, definition, body, key=key, origin=origin)
        return json_answer(200, plan)
    triggered = await context.intake.trigger(definition, body, key=key, origin=origin)
    return json_answer(200 if triggered.idempotency_hit else 201, triggered)


async def trigger_job_in_bulk(context: Context, request: Request) -> Answer:
    """Start up to 500 runs of a job: all of them, or none.

    One bad item refuses the request and is named by its index; quotas and rate
    limits are held against the whole. Items whose idempotency key stands for an
    earlier run answer that run.
    """
    definition = await _definition(context, request)
    body = _body(definition, request, TriggerJobInBulk)
    triggered = await context.intake.trigger_in_bulk(
        definition, body.items, origin=_origin(request.exchange)
    )
    return json_answer(201, triggered)


TRIGGER: Final[Face[Context]] = Face(
    operation_id="triggerJob",
    method=HttpMethod.POST,
    path="/v1/jobs/{job_id:str}/trigger",
    call=trigger_job,
    answers={201: Triggered, 200: Triggered | Plan},
    body=TriggerJob,
    scopes=["jobs:trigger"],
    at_most="trigger",
    tags=["jobs"],
    headers=["Idempotency-Key", "X-Idempotency-Key"],
)
TRIGGER_IN_BULK: Final[Face[Context]] = Face(
    operation_id="triggerJobInBulk",
    method=HttpMethod.POST,
    path="/v1/jobs/{job_id:str}/trigger/bulk",
    call=trigger_job_in_bulk,
    answers={201: TriggeredInBulk},
    body=TriggerJobInBulk,
    scopes=["jobs:trigger"],
    at_most=_BULK_PER_MINUTE,
    tags=["jobs"],
)
TRIGGER_BULK_ALIAS: Final = replace(
    TRIGGER_IN_BULK, operation_id="triggerBulk", path="/v1/jobs/{job_id:str}/trigger-bulk"
)

FACES: Final = (TRIGGER, TRIGGER_IN_BULK, TRIGGER_BULK_ALIAS)
router = Router("/", route_handlers=[mount(face) for face in FACES])


async def _definition(context: Context, request: Request) -> Definition:
    """Find the job. An actor without a project has to know its id (api 2.3)."""
    actor, reference = request.exchange.actor, request.path["job_id"]
    definition = None
    if actor is not None and actor.project_id:
        definition = await context.definitions.by_reference(actor.project_id, reference)
    elif (job_id := as_id(reference)) is not None:
        definition = await context.definitions.by_id(job_id)
    if definition is None:
        raise NotFound("job not found")
    return definition


def _body(definition: Definition, request: Request, kind: type[B]) -> B:
    """Read the body. What the job refuses whatever it says comes first (behaviour 2.8 #2-4)."""
    try:
        return decode(request.body, kind)
    except Invalid:
        check_job(definition)
        raise


def _origin(exchange: Exchange) -> Origin:
    actor = exchange.actor
    return Origin(
        actor=actor.id if actor else "",
        sees_tokens=actor is not None and actor.may("runs:write"),
        traceparent=_header(exchange, b"traceparent"),
        tracestate=_header(exchange, b"tracestate"),
    )


def _idempotency_key(exchange: Exchange) -> str:
    key = _header(exchange, b"x-idempotency-key") or _header(exchange, b"idempotency-key")
    try:
        key = key.encode("latin-1").decode()  # the same text as in a body
    except UnicodeError as error:
        raise Invalid(
            "Idempotency-Key: must be UTF-8; or send idempotency_key in the body"
        ) from error
    if len(key) > _MAX_KEY:
        raise Invalid(f"Idempotency-Key: must be at most {_MAX_KEY} characters")
    return key


def _header(exchange: Exchange, name: bytes) -> str:
    return exchange.headers.get(name, b"").decode("latin-1").strip()
