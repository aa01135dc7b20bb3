"""Facts on their way from the room that recorded them to the rooms that react.

A fact is written in the transaction of the change it tells of. The relay reads
facts in the order in which they were recorded, calls each reaction at least
once, and deletes what everybody has seen. A fact is invisible to the relay
until every transaction that began before it has ended, and a second relay waits
for the first, so none is overtaken or skipped.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from strait_server.base.db.connection import Connection
from strait_server.base.db.queries import Query
from strait_server.base.facts import Fact

CHANNEL: Final = "strait_outbox"
Reactions = Mapping[type[Fact], Sequence[Callable[[Connection, Any], Awaitable[None]]]]

_RECORD: Final = Query(
    "record",
    """
    with recorded as (
        insert into outbox (fact, body) values ($1, $2)
    )
    select pg_notify('strait_outbox', '')
    """,
    ("fact", "body"),
)
_OLDEST: Final = Query(
    "oldest",
    """
    select id, fact, body
    from outbox
    where recorded_by < pg_snapshot_xmin(pg_current_snapshot())
    order by id
    limit 1
    for update
    """,
    (),
)
_DELETE: Final = Query("delete", "delete from outbox where id = $1", ("id",))
_ENCODER: Final = msgspec.json.Encoder()


class _Recorded(Struct, frozen=True):
    id: int
    fact: str
    body: msgspec.Raw


async def record(db: Connection, fact: Fact) -> None:
    """Write the fact down in the open transaction; it is told after the commit."""
    await db.execute(_RECORD, fact=type(fact).__name__, body=_ENCODER.encode(fact))


class Relay:
    """Tells facts to those who react."""

    def __init__(self, reactions: Reactions) -> None:
        self._reactions = {kind.__name__: (kind, who) for kind, who in reactions.items()}

    async def step(self, db: Connection) -> int:
        """Tell up to a hundred facts, each in a transaction with its deletion.

        A reaction that raises leaves its fact in place, to be told again.
        """
        told = 0
        while told < 100:  # noqa: PLR2004 - one bounded batch
            async with db.transaction():
                recorded = await db.row(_Recorded, _OLDEST)
                if recorded is None:
                    break
                await self._tell(db, recorded)
                await db.execute(_DELETE, id=recorded.id)
            told += 1
        return told

    async def _tell(self, db: Connection, recorded: _Recorded) -> None:
        kind, reactions = self._reactions.get(recorded.fact, (Fact, ()))
        fact = msgspec.json.decode(recorded.body, type=kind)
        for react in reactions:
            await react(db, fact)
