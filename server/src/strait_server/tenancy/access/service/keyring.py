"""Recognising those who show a key (behaviour 13.1).

A request must not cost a query to know who sends it, so each process remembers
whom a key means: for ten seconds, and less when the key ends sooner. What
changes a key says so to everybody; who was not listening forgets everything.
Keys nobody knows are remembered too, but briefly: somebody may be trying.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from msgspec import Struct

from strait_server.base.clock import monotonic
from strait_server.base.crypto import keys
from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Database
from strait_server.base.errors import Unauthorized, Unavailable
from strait_server.base.http.limits import Rate
from strait_server.tenancy.access import store
from strait_server.tenancy.access.model import Actor, ActorType, Recognised

CHANNEL: Final = "strait_changed"

_REMEMBERED_SECONDS: Final = 10.0
_REFUSED_SECONDS: Final = 2.0
_TOUCH_SECONDS: Final = 2.0
_TOUCHED_AT_ONCE: Final = 500
_log = structlog.get_logger(__name__)


class Credential(Struct, frozen=True):
    """Whom a key means, and how often they may ask; `bucket` is who else counts with them."""

    actor: Actor
    rate: Rate
    bucket: str


class _Memory(Struct, frozen=True):
    """What a hash means until a moment: a credential, or the words of a refusal."""

    until: float
    credential: Credential | None
    refusal: str = ""


class Keyring:
    """The keys this process has seen lately."""

    def __init__(
        self,
        database: Database,
        *,
        default_rate: Rate,
        remembered: int = 10_000,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._default_rate = default_rate
        self._remembered = remembered
        self._clock = clock
        self._memories: OrderedDict[str, _Memory] = OrderedDict()
        self._asking: dict[str, asyncio.Event] = {}
        self._used: set[UUID] = set()
        self._changes = 0

    async def recognise(self, key: str) -> Credential:
        """Tell whom the key means. Raises `Unauthorized` with the reason when nobody."""
        if not keys.is_key(key):
            raise Unauthorized("invalid api key")
        key_hash = keys.hashed(key)
        memory = self._recall(key_hash) or await self._ask(key_hash)
        if memory.credential is None:
            raise Unauthorized(memory.refusal)
        if (key_id := memory.credential.actor.key_id) is not None:
            self._used.add(key_id)
        return memory.credential

    def hear(self, change: str) -> None:
        """Forget what a notification says is no longer so."""
        kind, _, name = change.partition(":")
        if kind == "key":
            self._changes += 1
            self._memories.pop(name, None)
        elif kind == "project":
            self.forget()

    def forget(self) -> None:
        """Forget everything: something may have changed unheard."""
        self._changes += 1
        self._memories.clear()

    async def run(self) -> None:
        """Write down which keys were used, every two seconds, until cancelled."""
        while True:
            await asyncio.sleep(_TOUCH_SECONDS)
            if not self._used:
                continue
            try:
                async with self._database.connection() as db:
                    await self.touch_used_keys(db)
            except (Unavailable, asyncpg.PostgresError) as error:
                _log.warning("used keys not written down", error=str(error))

    async def touch_used_keys(self, db: Connection) -> int:
        """Write down which keys were used since the last time."""
        used = [self._used.pop() for _ in range(min(len(self._used), _TOUCHED_AT_ONCE))]
        if used:
            await store.touch(db, sorted(used))
        return len(used)

    def _recall(self, key_hash: str) -> _Memory | None:
        memory = self._memories.get(key_hash)
        if memory is None or memory.until <= self._clock():
            return None
        self._memories.move_to_end(key_hash)
        return memory

    async def _ask(self, key_hash: str) -> _Memory:
        """Ask the database, once for all who want to know at the same time."""
        while (asked := self._asking.get(key_hash)) is not None:
            await asked.wait()
            if (memory := self._recall(key_hash)) is not None:
                return memory
        answered = self._asking[key_hash] = asyncio.Event()
        try:
            changes = self._changes
            async with self._database.connection() as db:
                known = await store.recognise(db, key_hash)
            memory = self._remember(known)
            # A change that came in meanwhile may be one we have not read.
            if changes == self._changes:
                self._memories[key_hash] = memory
                if len(self._memories) > self._remembered:
                    self._memories.popitem(last=False)
            return memory
        finally:
            del self._asking[key_hash]
            answered.set()

    def _remember(self, known: Recognised | None) -> _Memory:
        now = self._clock()
        if known is None or known.refusal:
            words = known.refusal if known else "invalid api key"
            return _Memory(now + _REFUSED_SECONDS, None, words)
        seconds = _REMEMBERED_SECONDS
        if known.seconds_left is not None:
            seconds = min(seconds, known.seconds_left)
        return _Memory(now + seconds, self._credential(known))

    def _credential(self, known: Recognised) -> Credential:
        actor = Actor(
            id=f"apikey:{known.id}",
            type=ActorType.API_KEY,
            project_id=known.project_id,
            scopes=frozenset(known.scopes),
            key_id=known.id,
        )
        bucket = f"key {known.id}"
        if known.key_requests and known.key_window_secs:
            return Credential(actor, Rate(known.key_requests, known.key_window_secs), bucket)
        if known.project_requests and known.project_window_secs:
            rate = Rate(known.project_requests, known.project_window_secs)
            return Credential(actor, rate, f"project {known.project_id}")
        return Credential(actor, self._default_rate, bucket)
