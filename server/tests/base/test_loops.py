"""What happens by itself: steps, leaders and failures (design 6; traps T82, T125)."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from strait_server.base.db.database import Database
from strait_server.base.loops import Loop, Runner

DEADLINE = 20.0
SOON = timedelta(milliseconds=1)
NEVER = timedelta(hours=1)


@pytest.fixture(autouse=True)
def logged():
    """Keep what is logged; printing tracebacks takes longer than making them."""
    with capture_logs() as logged:
        yield logged


class Chore:
    """A step that counts its calls, has so much to do, and fails when told."""

    def __init__(self, *work, fails=()):
        self.work = list(work)
        self.fails = set(fails)
        self.calls = 0
        self.pids = []
        self.called = asyncio.Event()

    async def step(self, db):
        self.calls += 1
        self.called.set()
        if self.calls in self.fails:
            raise ZeroDivisionError
        self.pids.append(await db.raw.fetchval("select pg_backend_pid()"))
        return self.work.pop(0) if self.work else 0

    async def until(self, calls):
        async with asyncio.timeout(DEADLINE):
            while self.calls < calls:
                self.called.clear()
                await self.called.wait()


class Account:
    """What a runner tells of its loops."""

    def __init__(self):
        self.told = []

    def __call__(self, name, succeeded):
        self.told.append((name, succeeded))


@asynccontextmanager
async def running(database, *loops, account=lambda *_: None):
    task = asyncio.create_task(Runner(database, loops, ran=account).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=DEADLINE)


async def until(condition):
    async with asyncio.timeout(DEADLINE):
        while not await condition():
            await asyncio.sleep(0.01)


async def locks(db):
    """Tell which processes of PostgreSQL hold advisory locks of this database."""
    rows = await db.raw.fetch(
        "select pid from pg_locks join pg_database on pg_database.oid = pg_locks.database "
        "where locktype = 'advisory' and granted and datname = current_database()"
    )
    return [row[0] for row in rows]


async def test_a_step_is_repeated_at_once_while_there_is_work(database):
    chore = Chore(5, 5, 5)

    async with running(database, Loop(name="chore", step=chore.step, every=NEVER, alone=False)):
        await chore.until(4)

    assert chore.calls == 4


async def test_a_step_is_repeated_after_its_period(database):
    chore = Chore()

    async with running(database, Loop(name="chore", step=chore.step, every=SOON, alone=False)):
        await chore.until(5)


async def test_a_loop_that_is_woken_does_not_wait(database):
    chore, wake = Chore(), asyncio.Event()
    loop = Loop(name="chore", step=chore.step, every=NEVER, alone=False, wake=wake)

    async with running(database, loop):
        for calls in range(1, 4):
            await chore.until(calls)
            wake.set()
        await chore.until(4)


async def test_a_loop_may_know_when_it_is_needed_next(database):
    chore, asked = Chore(), []

    async def next_in(db):
        asked.append(chore.calls)
        return 0.001 if chore.calls < 3 else None

    loop = Loop(name="chore", step=chore.step, every=NEVER, alone=False, next_in=next_in)
    async with running(database, loop):
        await chore.until(3)
        await until(lambda: _is(asked == [1, 2, 3]))

    assert chore.calls == 3


async def test_what_is_due_and_cannot_be_done_keeps_nobody_busy(db, database):
    """Somebody else holds it, or it is left to another loop."""
    chore = Chore()

    async def next_in(db):
        return -60.0

    loop = Loop(name="chore", step=chore.step, every=NEVER, next_in=next_in)
    runner = Runner(database, [loop], ran=lambda *_: None)

    assert 0 < await runner._turn(loop, db) < 1


async def test_no_loop_starves_the_others(database):
    """A step that always finds work gives way now and then."""
    busy, other = Chore(*[1] * 10_000), Chore()

    async with running(
        database,
        Loop(name="busy", step=busy.step, every=NEVER),
        Loop(name="other", step=other.step, every=SOON),
    ):
        await other.until(3)


@pytest.mark.parametrize("alone", [True, False])
async def test_a_step_that_raises_is_counted_and_the_loop_goes_on(database, logged, alone):
    """T125."""
    chore, account = Chore(fails={1, 2}), Account()
    loop = Loop(name="chore", step=chore.step, every=SOON, alone=alone)

    async with running(database, loop, account=account):
        await chore.until(4)

    assert account.told[:3] == [("chore", False), ("chore", False), ("chore", True)]
    assert [entry["loop"] for entry in logged if entry["event"] == "loop failed"] == ["chore"] * 2


async def test_a_step_that_raises_does_not_disturb_the_others(database):
    """T125."""
    bad, good = Chore(fails=range(1, 1000)), Chore()

    async with running(
        database,
        Loop(name="bad", step=bad.step, every=SOON),
        Loop(name="good", step=good.step, every=SOON),
    ):
        await good.until(20)
        await bad.until(2)


async def test_the_loops_wait_for_a_database_that_is_away(db, database, postgres):
    chore, account = Chore(), Account()
    name = await db.raw.fetchval("select current_database()")

    async with running(
        database, Loop(name="chore", step=chore.step, every=SOON, alone=False), account=account
    ):
        await chore.until(2)
        await postgres.refuse(name)
        await until(lambda: _is(("chore", False) in account.told))
        calls = chore.calls
        await postgres.allow(name)
        await chore.until(calls + 2)


async def test_of_three_exactly_one_leads(db, database):
    """T82."""
    chores = [Chore() for _ in range(3)]

    async with (
        running(database, Loop(name="chore", step=chores[0].step, every=SOON)),
        running(database, Loop(name="chore", step=chores[1].step, every=SOON)),
        running(database, Loop(name="chore", step=chores[2].step, every=SOON)),
    ):
        await until(lambda: _is(sum(chore.calls for chore in chores) > 100))
        holders = await locks(db)

    assert len(holders) == 1
    [leader] = [chore for chore in chores if chore.calls]
    assert set(leader.pids) == set(holders)


async def test_every_process_serves_what_is_not_for_one_alone(database):
    chores = [Chore() for _ in range(2)]

    async with (
        running(database, Loop(name="chore", step=chores[0].step, every=SOON, alone=False)),
        running(database, Loop(name="chore", step=chores[1].step, every=SOON, alone=False)),
    ):
        for chore in chores:
            await chore.until(3)


async def test_when_the_leader_ends_another_leads(db, database):
    first, second = Chore(), Chore()

    async with running(database, Loop(name="chore", step=first.step, every=SOON)):
        await first.until(1)
        waiting = running(database, Loop(name="chore", step=second.step, every=SOON))
        await waiting.__aenter__()
    await second.until(2)
    await waiting.__aexit__(None, None, None)


async def test_whoever_loses_the_connection_loses_the_lead(db, database):
    """T82: lock and work use one connection, so nobody works without the lock."""
    chore, account = Chore(), Account()

    async with running(database, Loop(name="chore", step=chore.step, every=SOON), account=account):
        await chore.until(2)
        [pid] = await locks(db)
        await db.raw.execute("select pg_terminate_backend($1)", pid)
        await until(lambda: _is(chore.pids[-1] != pid))

        assert await locks(db) == [chore.pids[-1]]
    assert ("leader", False) in account.told


async def test_whoever_led_leads_again_after_everybody_was_cut_off(db, database):
    """As by a restart of PostgreSQL. What a leader has seen of the others is in its memory."""
    chores = [Chore() for _ in range(3)]
    every = timedelta(seconds=0.6)

    async with (
        running(database, Loop(name="chore", step=chores[0].step, every=every)),
        running(database, Loop(name="chore", step=chores[1].step, every=every)),
        running(database, Loop(name="chore", step=chores[2].step, every=every)),
    ):
        for _ in range(4):
            await until(lambda: _is_led(db, len(chores)))
            await db.raw.execute(
                "select pg_terminate_backend(pid, 1000) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
        await until(lambda: _is_led(db, len(chores)))

    assert sum(chore.calls > 0 for chore in chores) == 1


async def test_whoever_loses_the_lead_forgets_what_a_leader_knows(db, database):
    """What it measured is not true any more, and another tells it now."""
    chore, known = Chore(), []

    async def learn(own):
        known.append(chore.calls)
        return await chore.step(own)

    async with running(database, Loop(name="chore", step=learn, every=SOON, forget=known.clear)):
        await chore.until(2)
        assert known[:2] == [0, 1]
        [pid] = await locks(db)
        await db.raw.execute("select pg_terminate_backend($1)", pid)
        await until(lambda: _is(chore.pids[-1] != pid))
        assert 0 not in known

    assert known == []


async def test_a_thousand_cycles_leave_no_lock_behind(db, database):
    """T82, every tenth step raises."""
    chore = Chore(fails=range(0, 1000, 10))

    for _ in range(10):
        calls = chore.calls
        async with running(database, Loop(name="chore", step=chore.step, every=SOON)):
            await chore.until(calls + 100)
            assert len(await locks(db)) == 1
        await until(lambda: _no_locks(db))

    assert chore.calls >= 1000


async def test_runners_that_stop_leave_no_connection_to_the_leader(database, db):
    chore = Chore()

    async with running(database, Loop(name="chore", step=chore.step, every=SOON)):
        await chore.until(1)
        [pid] = await locks(db)

    await until(lambda: _is_gone(db, pid))


async def test_a_runner_can_be_stopped_while_the_database_is_away():
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
    chore, account = Chore(), Account()

    async with running(
        nowhere,
        Loop(name="alone", step=chore.step, every=SOON),
        Loop(name="all", step=chore.step, every=SOON, alone=False),
        account=account,
    ) as task:
        await until(lambda: _is({"leader", "all"} <= {name for name, _ in account.told}))

    assert task.cancelled()
    assert chore.calls == 0


async def _is(fact):
    return fact


async def _is_led(db, count):
    """So many are connected, and one of them leads."""
    connected = await db.raw.fetchval(
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    return connected == count and len(await locks(db)) == 1


async def _no_locks(db):
    return not await locks(db)


async def _is_gone(db, pid):
    return not await db.raw.fetchval("select count(*) from pg_stat_activity where pid = $1", pid)
