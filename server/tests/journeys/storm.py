"""Customers who trigger runs without end while processes are killed, and what came of it.

Customers remember what they were promised. Somebody looks at the places of runs
in between. At the end everything comes to rest, and the auditor looks at it all.
"""

import asyncio
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import auditor
import httpx
from journeys.endpoint import Call, Visit
from journeys.machine import BACK, Program, eventually
from journeys.stage import Stage

from strait_server.base.db.outage import FAILURES

CUSTOMERS = 8
CALM = 60.0  # seconds until the last run has come to its end
PAUSE = 0.04  # of a customer between two triggers, on average


_RESCUED = """
    select coalesce(array_agg(back.at - $2), '{}')
    from unnest($1::uuid[]) as lost (id)
    join runs on runs.id = lost.id
    cross join lateral (
        select min((move >> 4) / 1000000.0)::float8 as at
        from unnest(runs.moves) as move
        where move & 15 = 1
          and (move >> 4) / 1000000.0 > $2::float8
    ) as back
    where back.at is not null
"""


class Fault(StrEnum):
    """Who is killed."""

    WORKER = "worker"
    API = "api"
    POSTGRES = "postgres"
    BACKEND = "backend"


class Kill:
    """One kill: when, and which runs the victim had under way, if it was a worker."""

    def __init__(self, fault: Fault, lost: Iterable[UUID] = ()):
        self.fault = fault
        self.at = time.monotonic()
        self.wall = time.time()
        self.lost = list(lost)


class Customers:
    """Trigger runs, one by one, in bulk, delayed, with keys; whatever happens, they go on."""

    def __init__(self, stage: Stage, dice: random.Random):
        self.promised: list[UUID] = []
        self.broken_promises: list[auditor.Violation] = []
        self.answers: Counter[str] = Counter()
        self._stage = stage
        self._dice = dice
        self._kinds: list[Callable[[], Awaitable[None]]] = [
            *[self._one] * 4,
            *[self._flaky] * 2,
            *[self._gated] * 2,
            self._many,
            self._later,
            self._with_a_key,
        ]

    async def open_accounts(self) -> None:
        job = self._stage.job
        self._stage.endpoint.play("steady", self._work)
        self._stage.endpoint.play("gated", self._work)
        self._stage.endpoint.play("flaky", self._work_at_the_second_try)
        await job("steady", retry_strategy="fixed")
        await job("flaky", retry_strategy="fixed")
        await job("gated", retry_strategy="fixed", max_concurrency=6, max_concurrency_per_key=2)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(CUSTOMERS):
                group.create_task(self._go_on())

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._dice.expovariate(1 / PAUSE))
            await self._dice.choice(self._kinds)()

    async def _one(self) -> None:
        await self._ask("steady/trigger", {})

    async def _flaky(self) -> None:
        await self._ask("flaky/trigger", {})

    async def _gated(self) -> None:
        key = self._dice.choice("abcd")
        await self._ask("gated/trigger", {"concurrency_key": key})

    async def _many(self) -> None:
        await self._ask("steady/trigger/bulk", {"items": [{"payload": {}}] * 10})

    async def _later(self) -> None:
        at = datetime.now(UTC) + timedelta(seconds=self._dice.uniform(0.5, 3))
        await self._ask("steady/trigger", {"scheduled_at": at.isoformat()})

    async def _with_a_key(self) -> None:
        """Ask until there is an answer. Then one more time: it must be the same."""
        key = self._dice.randbytes(8).hex()
        made = None
        while made is None:
            made = await self._ask("steady/trigger", {}, key=key)
        again = await self._ask("steady/trigger", {}, key=key)
        if again is not None and again != made:
            self._complain("a key stands for one run", f"{key}: {made} and {again}")

    async def _ask(
        self, path: str, body: dict[str, object], *, key: str | None = None
    ) -> UUID | None:
        """Answer the run, or the first of the runs, if the trigger was acknowledged."""
        try:
            answer = await self._stage.post(f"/v1/jobs/{path}", body, key=key)
        except httpx.TransportError as error:
            self.answers[type(error).__name__] += 1
            await asyncio.sleep(PAUSE)
            return None
        self.answers[str(answer.status_code)] += 1
        if answer.status_code in (200, 201):
            told = answer.json()
            made = [UUID(run["id"]) for run in told.get("results", [told])]
            if answer.status_code == 201:
                self.promised += made
            return made[0]
        if answer.status_code != 503 or "retry-after" not in answer.headers:
            self._complain(
                "a trigger is answered 201, or 503 and when to come back",
                f"{answer.status_code} {dict(answer.headers)} {answer.text}",
            )
        return None

    def _complain(self, rule: str, what: str) -> None:
        self.broken_promises.append(auditor.Violation(rule, what))

    async def _work(self, visit: Visit) -> None:
        await asyncio.sleep(visit.call.run_id.int % 97 / 500)  # up to a fifth of a second
        visit.answer()

    async def _work_at_the_second_try(self, visit: Visit) -> None:
        failing = visit.call.attempt == 1 and visit.call.run_id.int % 10 == 0
        visit.answer(503 if failing else 200)


class Storm:
    """Faults at random moments under load; `seed` decides who and when."""

    def __init__(self, stage: Stage, seed: int):
        self.stage = stage
        self.kills: list[Kill] = []
        self.dice = random.Random(seed)
        self.customers = Customers(stage, random.Random(seed + 1))
        self.seen: list[auditor.Violation] = []
        self.rescued_after: list[float] = []
        self.looks = 0

    async def rage(self, faults: Callable[[], Awaitable[None]], *, workers: int = 2) -> None:
        """Have customers come as long as `faults` happen."""
        await self.customers.open_accounts()
        await asyncio.gather(*(self.stage.start_worker() for _ in range(workers)))
        load = asyncio.create_task(self.customers.run())
        watch = asyncio.create_task(self._look_again_and_again())
        try:
            await faults()
        finally:
            for task in (load, watch):
                task.cancel()
            outcomes = await asyncio.gather(load, watch, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def one(self, fault: Fault, *, outage: float = 0.0) -> Kill:
        """Kill one, at a random moment, and put another in its place."""
        await asyncio.sleep(self.dice.uniform(0.1, 0.8))
        victim = self.dice.choice(self.stage.workers)
        kill = Kill(fault, self._under_way_at(victim) if fault is Fault.WORKER else ())
        self.kills.append(kill)
        match fault:
            case Fault.WORKER:
                self.stage.kill(victim)
                await self.stage.start_worker()
            case Fault.API:
                self.stage.kill(self.stage.api)
                await self.stage.start_api()
            case Fault.POSTGRES:
                await self.stage.crash_postgres()
                await asyncio.sleep(outage)
                await self.stage.postgres.revive()
            case Fault.BACKEND:
                self.stage.fault()
                await self.stage.postgres.lose_a_backend(self.dice)
        promised = len(self.customers.promised)
        await eventually(lambda: len(self.customers.promised) > promised, within=BACK)
        return kill

    async def verdict(self) -> list[auditor.Violation]:
        """Wait until all is at rest, and answer everything that is wrong."""
        with suppress(AssertionError):  # the auditor says what is left
            await self.stage.at_rest(within=CALM)
        async with self.stage.postgres.connection() as raw:
            found = await auditor.audit(
                raw,
                promised=self.customers.promised,
                calls=self.stage.endpoint.calls,
                faults=self.stage.faults,
            )
            for kill in self.kills:
                self.rescued_after += await raw.fetchval(_RESCUED, kill.lost, kill.wall)
        return found + self.seen + self.customers.broken_promises + self.stage.complaints()

    def told(self) -> list[str]:
        """Sum up what happened."""
        answers = dict(self.customers.answers)
        lines = [f"{len(self.customers.promised)} runs promised, answered {answers}"]
        for fault, count in Counter(kill.fault for kill in self.kills).items():
            lines.append(f"{fault} killed {count} times")
        if self.rescued_after:
            lines.append(f"{len(self.rescued_after)} calls lost with their workers")
            lines.append(f"  runs back in their place after {_told(self.rescued_after)}")
            lines.append(f"  runs sent again after {_told(self.sent_again_after())}")
        lines.append(f"{self.looks} looks at the places of runs meanwhile")
        return lines

    def sent_again_after(self) -> list[float]:
        """How long after its worker's death each run was sent again, in seconds."""
        calls: defaultdict[UUID, list[Call]] = defaultdict(list)
        for call in self.stage.endpoint.calls:
            calls[call.run_id].append(call)
        again = (
            next((call.at - kill.at for call in calls[run_id] if call.at > kill.at), None)
            for kill in self.kills
            for run_id in kill.lost
        )
        return [seconds for seconds in again if seconds is not None]

    def _under_way_at(self, worker: Program) -> list[UUID]:
        ports = worker.ports()
        lately = self.stage.endpoint.calls[-500:]
        return [call.run_id for call in lately if call.under_way and call.caller in ports]

    async def _look_again_and_again(self) -> None:
        """Nobody may be in two places, not even for a moment."""
        while True:
            await asyncio.sleep(0.3)
            with suppress(*FAILURES):
                async with self.stage.postgres.connection() as raw:
                    found = await auditor.look(raw, "places")
                self.seen += [violation for violation in found if violation not in self.seen]
                self.looks += 1


def _told(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} s, {max(seconds):.1f} s at most"


def say(line: str) -> None:
    """For whoever runs the tests with `-s`, and for a failure's report."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
