"""What happens to runs by itself."""

from collections.abc import Awaitable, Callable

from strait_server.base.db.connection import Connection
from strait_server.base.settings import Settings
from strait_server.base.telemetry.instruments import Counter
from strait_server.work.runs.service import retirement


async def ensure_months(db: Connection) -> int:
    """Make the partitions of this month and the next two, long before they are needed."""
    return await retirement.ensure_months(db)


def retire(settings: Settings, deleted: Counter) -> Callable[[Connection], Awaitable[int]]:
    """Make the step that lets old runs go, as long as the settings keep them."""
    return retirement.Retirement(
        short=settings.run_retention_short, long=settings.run_retention_long, deleted=deleted
    ).step
