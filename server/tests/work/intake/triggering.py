"""What the tests of triggers have in common: processes, requests, and what became of them."""

import asyncio
from collections import Counter

import world

from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.db.database import Line
from strait_server.base.errors import StraitError
from strait_server.work.intake.model import TriggerJob
from strait_server.work.intake.service.triggers import Intake, Limits, Origin
from strait_server.work.jobs.service.definitions import Definition

TOKENS = RunTokens(world.ENVIRON["JWT_SIGNING_KEY"])
ORIGIN = Origin(actor="apikey:somebody", sees_tokens=True)
DEADLINE = 30.0


class Process:
    """A process as far as triggers see it: an intake on a line of its own, whose flusher runs."""

    def __init__(self, database, *, worth, patience=None, **limits):
        self.line = Line(database, patience=patience)
        self.intake = Intake(self.line, TOKENS, Limits(worth=worth, **limits))
        self.flusher = asyncio.create_task(self.intake.flusher.run())

    async def trigger(self, job, *, key=None, origin=ORIGIN, **said):
        return await self.intake.trigger(
            Definition(job), TriggerJob(**said), key=key, origin=origin
        )

    async def bulk(self, job, items, *, origin=ORIGIN):
        return await self.intake.trigger_in_bulk(
            Definition(job), [TriggerJob(**item) for item in items], origin=origin
        )

    async def plan(self, db, job, *, key=None, **said):
        return await self.intake.plan(
            db, Definition(job), TriggerJob(**said), key=key, origin=ORIGIN
        )

    async def stop(self, *, hang_up):
        self.flusher.cancel()
        await asyncio.wait([self.flusher])
        if hang_up:
            await self.line.close()


async def fates(*triggers):
    """Have it all done at once; tell each answer, or what it was refused with."""
    async with asyncio.timeout(DEADLINE):
        return await asyncio.gather(*map(_fate, triggers))


async def _fate(trigger):
    try:
        return await trigger
    except StraitError as refusal:
        return refusal


def tally(fates):
    """Count how often what happened."""
    return Counter(map(_name, fates))


def _name(fate):
    if isinstance(fate, StraitError):
        return fate.message
    return "hit" if fate.idempotency_hit else "made"


async def until(condition):
    """Look again until it is so."""
    async with asyncio.timeout(DEADLINE):
        while not await condition():
            await asyncio.sleep(0.01)


async def waits_for_a_lock(db, count=1):
    """Whether so many others wait for a lock."""
    waiting = await db.raw.fetchval(
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and wait_event_type = 'Lock'"
    )
    return waiting >= count
