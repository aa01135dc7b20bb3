"""May this run be made? The checks of behaviour 2.8, in its order.

What the definition and the request alone decide is checked before anything is
written (`CHECKS`). What must be exact under concurrency is decided inside the
transaction that inserts, under locks (`decisions.py`): a check before the
write would admit too many (T88).
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from strait_server.base.canonical import PayloadError, canonical, strip_nul
from strait_server.base.errors import Conflict, Invalid, TooLarge
from strait_server.work.intake.model import TriggerJob
from strait_server.work.intake.rules.numbers import check_numbers
from strait_server.work.jobs.service.definitions import Definition

MAX_PAYLOAD: Final = 5 * 1024 * 1024


class Asked(Struct, frozen=True):
    """A request that stands before the checks; `payload` is canonical."""

    definition: Definition
    request: TriggerJob
    payload: bytes


def is_enabled(definition: Definition) -> None:
    if not definition.job.enabled:
        raise Invalid("job is disabled")


def is_not_paused(definition: Definition) -> None:
    if definition.job.paused:
        raise Conflict("job is paused -- resume it before triggering new runs")


def metadata_is_not_reserved(asked: Asked) -> None:
    for key in asked.request.metadata or ():
        if key.startswith("_"):
            raise Invalid(f"metadata.{key}: keys that start with _ are reserved")


def payload_is_small_enough(asked: Asked) -> None:
    if len(asked.payload) > MAX_PAYLOAD:
        raise TooLarge(f"payload exceeds {MAX_PAYLOAD} bytes")


def payload_fits_the_schema(asked: Asked) -> None:
    schema = asked.definition.payload_schema
    if schema is not None and (problems := schema.problems(asked.payload)):
        raise Invalid(f"payload validation failed: {problems[0]}", problems=problems)


# 1 the job exists in the project: `Definitions.by_reference`
JOB_CHECKS: Final[tuple[Callable[[Definition], None], ...]] = (
    is_enabled,  # 2
    is_not_paused,  # 3
)
CHECKS: Final[tuple[Callable[[Asked], None], ...]] = (
    metadata_is_not_reserved,  # 4; the rest of it is in the types of `TriggerJob`
    payload_is_small_enough,  # 5
    # 6 a dry run goes on to the end and is taken back: `Intake.plan`
    payload_fits_the_schema,  # 7
    # 8 the schedule's bounds: `decisions.check_schedules`, by the database's clock
    # 9 the canonical payload: `canonical_payload`, whose hash the answer carries
    # 10 idempotency: `decisions.reserve_keys`
    # 11 quotas: `decisions.keep_quotas`
    # 12 the daily cost budget
    # 13 rate limits: `decisions.keep_rates`
    # 14 deduplication, 15 debounce, 16 batch
    # 17 the execution window: `decisions.wait_for_window`
    # 18 expiry: `intake.rules.expiry`; the run token: `Intake`
    # 19 dependencies
    # 20 the insert: `queue.service.enqueue`
)


def check_job(definition: Definition) -> None:
    """Raise unless the job takes new runs."""
    for one in JOB_CHECKS:
        one(definition)


def check(asked: Asked) -> None:
    """Raise what the first refusing check raises."""
    for one in CHECKS:
        one(asked)


def canonical_payload(raw: bytes) -> bytes:
    """Return the payload as it is stored, hashed and sent.

    `Invalid` when it is not JSON, or holds a number that cannot be compared.
    """
    try:
        payload = canonical(strip_nul(raw))
    except PayloadError as error:
        raise Invalid(f"payload: {error}") from error
    check_numbers("payload", payload)
    return payload


def of_item(refusal: Invalid | TooLarge, index: int) -> Invalid | TooLarge:
    """Say which item of a bulk trigger was refused."""
    named = type(refusal)(f"items[{index}]: {refusal.message}", problems=refusal.problems)
    named.__cause__ = refusal
    return named
