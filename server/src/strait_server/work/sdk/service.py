"""Hearing job code out: signs of life, events, and how its run ended (behaviour 5).

Reports of one process are written together, each kind by its own flusher
(design 5.1). Every write tests the run's state and attempt itself; only when it
changed nothing is the run looked at, to say why.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from strait_server.base import ids
from strait_server.base.db.coalescer import Coalescer
from strait_server.base.db.connection import Connection
from strait_server.base.db.database import Line
from strait_server.base.errors import NotFound, TooLarge
from strait_server.work.dispatch.model import RetryAt
from strait_server.work.dispatch.service import verdicts
from strait_server.work.jobs.service.definitions import Definitions
from strait_server.work.queue import service as queue
from strait_server.work.queue.model import (
    Beat,
    Conclusion,
    ErrorClass,
    NewEvent,
    Returned,
    Run,
    RunEvent,
    Standing,
    Status,
)
from strait_server.work.runs.service import reading
from strait_server.work.sdk import rules, store
from strait_server.work.sdk.model import Log, Progress, ResultRefused

_BATCH: Final = 500
_EVENTS_BETWEEN_TRIMS: Final = 500
_COUNTED_RUNS: Final = 10_000
_CONFLICT: Final = "run status conflict"
_NOT_EXECUTING: Final = "run must be executing or waiting"


class Speaker(Struct, frozen=True):
    """A run, through the token of one attempt; None: of whichever it is at."""

    run_id: UUID
    attempt: int | None


class Policy(Struct, frozen=True, kw_only=True):
    """What the settings say. `worth` is a point of priority in microseconds of waiting."""

    worth: int
    max_result_bytes: int = 1_048_576


class Reports:
    """Where job code is heard. One per process; `run` writes."""

    def __init__(self, line: Line, definitions: Definitions, policy: Policy) -> None:
        self._line = line
        self._definitions = definitions
        self._policy = policy
        self._told: OrderedDict[UUID, int] = OrderedDict()
        self._beats: Coalescer[Beat, bool] = Coalescer(self._write_beats, limit=_BATCH)
        self._events: Coalescer[NewEvent, datetime | None] = Coalescer(
            self._write_events, limit=_BATCH
        )
        self._conclusions: Coalescer[Conclusion, Run | None] = Coalescer(
            self._write_conclusions, limit=_BATCH
        )

    async def run(self) -> None:
        """Write reports until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beats.run())
            group.create_task(self._events.run())
            group.create_task(self._conclusions.run())

    async def beat(self, speaker: Speaker) -> None:
        """Note that the run is alive."""
        if not await self._beats.submit(Beat(speaker.run_id, speaker.attempt)):
            raise await self._refusal(speaker, otherwise=_NOT_EXECUTING)

    async def log(self, speaker: Speaker, log: Log) -> RunEvent:
        """Add a line to the run's story."""
        rules.check_type(log.type)
        return await self._tell(
            speaker, log.type, log.level, log.message, rules.event_data(bytes(log.data))
        )

    async def progress(self, speaker: Speaker, progress: Progress) -> RunEvent:
        """Add to the run's story how far it got."""
        return await self._tell(
            speaker, "progress", "info", progress.message, rules.progress_data(progress)
        )

    async def complete(self, speaker: Speaker, raw: bytes) -> Run:
        """End the run well. Saying so again, with the same result, changes nothing.

        Raises `TooLarge`, and `ResultRefused` for a result that is not what the
        job promises: then the run stays open.
        """
        result = rules.stored_result(raw)
        if result is not None and len(result) > self._policy.max_result_bytes:
            raise TooLarge(f"result exceeds {self._policy.max_result_bytes} bytes")
        ended = Conclusion(
            id=speaker.run_id,
            attempt=speaker.attempt,
            status=Status.COMPLETED,
            result=result,
            checked=False,
        )
        if run := await self._conclusions.submit(ended):
            return run
        standing = await self._standing(speaker)
        if standing is not None and rules.is_open(standing, speaker.attempt):
            await self._check(standing, result)
            if run := await self._conclusions.submit(replace(ended, checked=True)):
                return run
            standing = await self._standing(speaker)
        if _completed_so(standing, speaker, result):
            return await self._look(speaker)
        raise rules.refusal(standing, speaker.attempt, otherwise=_CONFLICT)

    async def fail(self, speaker: Speaker, error: str, *, retryable: bool) -> Run:
        """End the run as failed; or only its attempt, if it is `retryable` and another is left."""
        error = rules.cut(error)
        if retryable:
            standing = await self._standing(speaker)
            if standing is None or not rules.is_open(standing, speaker.attempt):
                raise rules.refusal(standing, speaker.attempt, otherwise=_CONFLICT)
            # Whatever others do meanwhile, the next attempt is not the one that failed.
            speaker = Speaker(speaker.run_id, standing.attempt)
            if run := await self._try_again(standing, error):
                return run
        failed = Conclusion(
            id=speaker.run_id,
            attempt=speaker.attempt,
            status=Status.FAILED,
            error=error,
            error_class=ErrorClass.UNKNOWN,
        )
        if run := await self._conclusions.submit(failed):
            return run
        raise await self._refusal(speaker, otherwise=_CONFLICT)

    async def _tell(
        self, speaker: Speaker, event_type: str, level: str, message: str, data: bytes | None
    ) -> RunEvent:
        event = NewEvent(
            id=ids.new_id(),
            run_id=speaker.run_id,
            attempt=speaker.attempt,
            type=event_type,
            level=level,
            message=message,
            data=data,
        )
        created_at = await self._events.submit(event)
        if created_at is None:
            raise await self._refusal(speaker, otherwise=_NOT_EXECUTING)
        return RunEvent(
            id=event.id,
            run_id=event.run_id,
            type=event_type,
            level=level,
            message=message,
            data=None if data is None else msgspec.Raw(data),
            created_at=created_at,
        )

    async def _check(self, standing: Standing, result: bytes | None) -> None:
        definition = await self._definitions.by_id(standing.job_id)
        schema = definition.result_schema if definition else None
        problems = schema.problems(result or b"null") if schema else []
        if problems:
            raise ResultRefused(
                f"result does not match result_schema: {problems[0]}", problems=problems
            )

    async def _try_again(self, standing: Standing, error: str) -> Run | None:
        """Queue the next attempt, after the delay that any retry has. None: there is none."""
        definition = await self._definitions.by_id(standing.job_id)
        if definition is None:
            return None
        verdict = verdicts.after_loss(standing, definition)
        if not isinstance(verdict, RetryAt):
            return None
        again = verdicts.record(
            standing,
            definition,
            replace(verdict, error=error, error_class=ErrorClass.UNKNOWN),
            age_micros=standing.age_micros,
        )
        if not isinstance(again, Returned):
            return None
        async with self._line.connection() as db:
            if await queue.requeue(db, [again], worth=self._policy.worth):
                return None
            return await reading.look(db, None, standing.id)

    async def _standing(self, speaker: Speaker) -> Standing | None:
        async with self._line.connection() as db:
            return await queue.standing(db, speaker.run_id)

    async def _look(self, speaker: Speaker) -> Run:
        async with self._line.connection() as db:
            return await reading.look(db, None, speaker.run_id)

    async def _refusal(self, speaker: Speaker, *, otherwise: str) -> Exception:
        return rules.refusal(await self._standing(speaker), speaker.attempt, otherwise=otherwise)

    async def _write_beats(self, beats: Sequence[Beat]) -> list[bool]:
        async with self._line.connection() as db:
            alive = await queue.beat(db, beats)
        return [beat.id in alive for beat in beats]

    async def _write_events(self, events: Sequence[NewEvent]) -> list[datetime | None]:
        async with self._line.connection() as db:
            told = await queue.tell(db, events)
            for run_id in self._chatty(event.run_id for event in events):
                await queue.trim_story(db, run_id)
        return [told.get(event.id) for event in events]

    async def _write_conclusions(self, conclusions: Sequence[Conclusion]) -> list[Run | None]:
        """Write one conclusion per run; whoever says it once more will find it written."""
        firsts: dict[UUID, Conclusion] = {}
        for conclusion in conclusions:
            firsts.setdefault(conclusion.id, conclusion)
        async with self._line.connection() as db:
            ended = await queue.conclude(db, list(firsts.values()))
            runs = {run.id: run for run in await reading.get_light(db, None, list(ended))}
        return [
            runs.get(conclusion.id) if firsts[conclusion.id] is conclusion else None
            for conclusion in conclusions
        ]

    def _chatty(self, run_ids: Iterator[UUID]) -> list[UUID]:
        """Count events, and name the runs that may have too many by now."""
        chatty: list[UUID] = []
        for run_id in run_ids:
            self._told[run_id] = self._told.pop(run_id, 0) + 1
            if self._told[run_id] >= _EVENTS_BETWEEN_TRIMS:
                chatty.append(run_id)
                del self._told[run_id]
        while len(self._told) > _COUNTED_RUNS:
            self._told.popitem(last=False)
        return chatty


async def payload(db: Connection, speaker: Speaker) -> bytes:
    """Read the payload of the run, also after it has ended."""
    found = await store.payload(db, speaker.run_id)
    if found is None:
        raise NotFound("run not found")
    return bytes(found)


def _completed_so(standing: Standing | None, speaker: Speaker, result: bytes | None) -> bool:
    if standing is None or speaker.attempt not in {None, standing.attempt}:
        return False
    stored = None if standing.result is None else bytes(standing.result)
    return standing.status is Status.COMPLETED and rules.is_same_result(
        result, rules.stored_result(stored or b"")
    )
