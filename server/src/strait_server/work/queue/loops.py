"""What the queue does by itself."""

from strait_server.base.db.connection import Connection
from strait_server.work.queue import service as queue


async def move_due(db: Connection, *, worth: int) -> int:
    """Bring runs whose time has come to the queue (behaviour 8.3)."""
    return await queue.move_due(db, worth=worth)


async def next_due(db: Connection) -> float | None:
    """Seconds until the next one."""
    return await queue.next_due(db)


async def expire(db: Connection) -> int:
    """End runs that waited too long (behaviour 8.4 #3)."""
    return await queue.expire(db)


async def open_waiting_gates(db: Connection, *, worth: int) -> int:
    """Mend gates that have room and somebody waiting."""
    return await queue.open_waiting_gates(db, worth=worth)
