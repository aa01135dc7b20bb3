"""The terms on which a run is made or moved, also when it is not by a trigger."""

from datetime import datetime

from strait_server.base.db.connection import Connection
from strait_server.work.intake import store
from strait_server.work.intake.model import TriggerJob
from strait_server.work.intake.rules import numbers
from strait_server.work.intake.rules.expiry import ttl_seconds
from strait_server.work.intake.rules.schedule import check_schedule, opening
from strait_server.work.intake.service import admission
from strait_server.work.jobs.service.definitions import Definition


def lifetime(definition: Definition, *, default_ttl_secs: int) -> int:
    """Tell for how many seconds a run may wait when it does not say itself (behaviour 2.9)."""
    return ttl_seconds(
        requested=None,
        job_ttl=definition.job.run_ttl_secs,
        default_ttl=default_ttl_secs,
        timeout=definition.job.timeout_secs,
    )


def payload(definition: Definition, raw: bytes) -> bytes:
    """Bring a payload to its stored form, or raise what a trigger with it would."""
    canonical = admission.canonical_payload(raw)
    asked = admission.Asked(definition, TriggerJob(), canonical)
    admission.payload_is_small_enough(asked)
    admission.payload_fits_the_schema(asked)
    return canonical


def check_numbers(field: str, document: bytes) -> None:
    """Raise `Invalid` for a document that no payload can contain."""
    numbers.check_numbers(field, document)


async def start(db: Connection, definition: Definition, wanted: datetime) -> datetime:
    """Tell when a run may start: as wanted, or later when the job's window opens.

    Raises `Invalid` for a moment that a trigger could not ask for (behaviour 2.8 #8).
    """
    now = await store.now(db)
    check_schedule(wanted, now=now)
    if definition.window is None:
        return wanted
    return opening(wanted, definition.window, definition.zone, now=now) or wanted
