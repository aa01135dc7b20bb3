"""What job code reports of its own run."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import load_queries
from strait_server.work.queue.model import ORDINALS, Beat, Conclusion, Standing

SQL: Final = load_queries(__name__)


class Reported(Struct, frozen=True):
    """A run that is open to reports. Not `written`: somebody else is writing it."""

    id: UUID
    written: bool
    gated: bool


async def hold(db: Connection, run_id: UUID) -> None:
    """Wait for the run, and keep others from writing it until the end of the transaction."""
    await db.execute(SQL["hold"], id=run_id)


async def beat(db: Connection, beats: Sequence[Beat]) -> list[Reported]:
    return await db.rows(
        Reported,
        SQL["beat"],
        ids=[beat.id for beat in beats],
        attempts=[beat.attempt for beat in beats],
    )


async def conclude(db: Connection, conclusions: Sequence[Conclusion]) -> list[Reported]:
    """No two of them may be for the same run."""
    return await db.rows(
        Reported,
        SQL["conclude"],
        ids=[run.id for run in conclusions],
        attempts=[run.attempt for run in conclusions],
        statuses=[run.status for run in conclusions],
        ordinals=[ORDINALS[run.status] for run in conclusions],
        results=[run.result for run in conclusions],
        errors=[run.error for run in conclusions],
        error_classes=[run.error_class for run in conclusions],
        checked=[run.checked for run in conclusions],
    )


async def standing(db: Connection, run_id: UUID) -> Standing | None:
    return await db.row(Standing, SQL["standing"], id=run_id)
