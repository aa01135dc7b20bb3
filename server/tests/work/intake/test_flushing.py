"""Triggers that are written together do not suffer together (design 5.1, behaviour D, api 3.2)."""

import asyncio

import asyncpg
import pytest
import world
from work.intake.triggering import DEADLINE, fates, tally, until, waits_for_a_lock

from strait_server.base.db.database import Database
from strait_server.base.errors import Unavailable

PATIENCE = 0.5
AWAY = "the database does not answer"
CLOSING = "the server is shutting down"


@pytest.fixture
async def refusing(database, db):
    """Let the database refuse every run with this concurrency key."""
    await db.raw.execute(
        """
        create function refuse() returns trigger language plpgsql as $$
        begin
            raise exception 'not this one';
        end
        $$;
        create trigger refuse before insert on runs for each row
        when (new.concurrency_key = 'bad') execute function refuse();
        """
    )


@pytest.fixture
async def holding(database, db):
    """Let no run be written until told, and find out who waits."""
    transaction = db.raw.transaction()
    await transaction.start()
    await db.raw.execute("lock table runs in share mode")
    return transaction


async def settle(trigger):
    """Tell an answer, or what the trigger failed with, also when that is a bug."""
    try:
        return (await fates(trigger))[0]
    except asyncpg.PostgresError as error:
        return error


async def at_once(*triggers):
    return await asyncio.gather(*map(settle, triggers))


def refused(fates):
    return [isinstance(fate, asyncpg.PostgresError) for fate in fates]


async def test_one_bad_run_fails_alone(db, process, refusing):
    job = await world.a_job(db)

    made = await at_once(
        *(
            process.trigger(job, concurrency_key="bad" if number in {3, 7} else None)
            for number in range(20)
        )
    )

    assert refused(made) == [number in {3, 7} for number in range(20)]
    assert await world.count(db, "runs") == await world.count(db, "queue") == 18


async def test_whoever_needs_no_decision_is_not_written_twice(db, process, refusing):
    """A flush is committed as a whole: what is tried again was not written before."""
    job = await world.a_job(db)

    made = await at_once(
        process.trigger(job),
        process.trigger(job, key="k", concurrency_key="bad"),
        process.trigger(job, key="l"),
        process.trigger(job),
    )

    assert refused(made) == [False, True, False, False]
    assert await world.count(db, "runs") == 3


async def test_nobody_answers_for_a_run_that_was_never_made(db, process, refusing):
    """The twin of a bad run leads when the two are tried again, each by itself."""
    job = await world.a_job(db)

    made = await at_once(
        process.trigger(job, key="k", concurrency_key="bad"), process.trigger(job, key="k")
    )

    assert refused(made) == [True, False]
    assert not made[1].idempotency_hit
    assert await world.count(db, "runs") == await world.count(db, "idempotency_keys") == 1


async def test_a_bad_run_takes_no_place_in_a_quota(db, process, refusing):
    await world.a_quota(db, max_queued_runs=2)
    job = await world.a_job(db)

    made = await at_once(
        process.trigger(job, concurrency_key="bad"), process.trigger(job), process.trigger(job)
    )

    assert refused(made) == [True, False, False]
    assert await world.count(db, "runs") == 2


async def test_a_bad_item_leaves_nothing_of_its_bulk(db, process, refusing):
    job = await world.a_job(db)

    made = await at_once(
        process.bulk(job, [{"idempotency_key": "k"}, {"concurrency_key": "bad"}]),
        process.bulk(job, [{}, {}]),
    )

    assert refused(made) == [True, False]
    assert await world.count(db, "runs") == 2
    assert await world.count(db, "batch_operations") == 1
    assert await world.count(db, "idempotency_keys") == 0


async def test_a_database_that_is_away_is_told_at_once(db, process, start):
    nowhere = await start(Database("postgresql://nobody@127.0.0.1:1/nothing"))
    job = await world.a_job(db)

    made = await fates(*(nowhere.trigger(job) for _ in range(20)))

    assert tally(made) == {AWAY: 20}
    assert all(isinstance(one, Unavailable) and one.retry_after >= 1 for one in made)


async def test_an_outage_in_the_midst_leaves_nothing_half_done(db, database, process, holding):
    async with database.connection() as outside:
        job = await world.a_job(outside)
        both = asyncio.create_task(
            fates(
                process.trigger(job),
                process.trigger(job, key="k"),
                process.bulk(job, [{}, {"idempotency_key": "l"}]),
            )
        )
        await until(lambda: waits_for_a_lock(outside))
        await outside.raw.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and wait_event_type = 'Lock'"
        )
        made = await both
        await holding.rollback()

        assert tally(made) == {AWAY: 3}
        for table in ("runs", "run_payloads", "queue", "idempotency_keys", "batch_operations"):
            assert await world.count(outside, table) == 0
        assert not (await process.trigger(job, key="k")).idempotency_hit


@pytest.mark.parametrize(
    ("word", "terms", "key"),
    [
        (b"the bad word", {}, None),
        (b"COMMIT", {"max_concurrency": 9}, None),
        (b"COMMIT", {}, "k"),
    ],
    ids=["statement", "gate", "key"],
)
async def test_a_run_that_was_made_unheard_is_answered_all_the_same(
    db, start, wire, far, word, terms, key
):
    """Nobody is told to try again what was done, and nothing is done twice (api 3.2)."""
    process = await start(far, patience=PATIENCE)
    job = await world.a_job(db, **terms)
    wire.word, wire.local = word, True

    made = await process.trigger(job, key=key, payload=b'"the bad word"')

    assert wire.broken
    assert not made.idempotency_hit
    [run] = await db.raw.fetch("select id, created_at from runs")
    assert (run["id"], run["created_at"]) == (made.id, made.created_at)
    wire.word = None
    assert (await process.trigger(job, key=key)).idempotency_hit is (key is not None)


async def test_a_bulk_that_was_made_unheard_is_answered_all_the_same(db, start, wire, far):
    process = await start(far, patience=PATIENCE)
    job = await world.a_job(db)
    wire.word, wire.local = b"COMMIT", True

    bulk = await process.bulk(job, [{}, {"idempotency_key": "k"}, {"idempotency_key": "k"}])

    assert (bulk.total, bulk.created) == (3, 2)
    assert await world.count(db, "runs") == 2
    assert await world.count(db, "batch_operations") == 1


async def test_what_was_not_made_is_said_not_to_be_and_can_be_tried_at_once(db, start, wire, far):
    process = await start(far, patience=PATIENCE)
    job = await world.a_job(db)
    wire.word, wire.local = b"the bad word", True

    made = await fates(process.trigger(job, key="k", payload=b'"the bad word"'))

    assert tally(made) == {AWAY: 1}
    assert await world.count(db, "runs") == await world.count(db, "idempotency_keys") == 0
    async with asyncio.timeout(3 * PATIENCE):
        assert not (await process.trigger(job, key="k")).idempotency_hit


async def test_what_is_too_slow_is_not_done_afterwards(db, database, start, holding):
    process = await start(patience=PATIENCE)
    async with database.connection() as outside:
        job = await world.a_job(outside)

        made = await fates(process.trigger(job))

        assert tally(made) == {AWAY: 1}
        assert not await waits_for_a_lock(outside)
        await holding.rollback()
        assert await world.count(outside, "runs") == 0


async def test_a_network_that_is_gone_is_told(db, start, wire, far):
    """Whether the run was made can only be found out with a key, when it is back."""
    process = await start(far, patience=PATIENCE)
    job = await world.a_job(db)
    wire.word = b"COMMIT"

    made = await fates(process.trigger(job, key="k"))

    assert tally(made) == {AWAY: 1}
    wire.mend()
    assert (await process.trigger(job, key="k")).idempotency_hit
    assert await world.count(db, "runs") == 1


async def test_a_flush_is_no_heavier_than_can_be_written_in_time(db, database, process, holding):
    """Otherwise it would be taken for one that is not answered."""
    async with database.connection() as outside:
        job = await world.a_job(outside)
        first = await _a_flush_that_waits(process, job, outside)
        large = b'"' + b"x" * 2_000_000 + b'"'
        rest = [process.bulk(job, [{}] * 500) for _ in range(11)]
        rest += [process.trigger(job, payload=large) for _ in range(20)]
        made = asyncio.gather(*rest)
        await until(lambda: _are_unwritten(process, 32))
        await holding.rollback()

        await asyncio.gather(first, made)
        flushes = await outside.raw.fetch(
            "select count(*) from runs group by created_at order by created_at"
        )
        assert [row["count"] for row in flushes] == [1, 10 * 500, 500 + 9, 10, 1]


async def test_whoever_waits_when_the_flusher_is_canceled_is_told_so(
    db, database, process, holding
):
    async with database.connection() as outside:
        job = await world.a_job(outside)
        written = asyncio.create_task(fates(process.trigger(job)))
        await until(lambda: waits_for_a_lock(outside))
        waiting = asyncio.create_task(fates(process.trigger(job)))
        await until(lambda: _are_unwritten(process, 2))

        process.flusher.cancel()

        assert tally(await written + await waiting) == {CLOSING: 2}
        assert tally(await fates(process.trigger(job))) == {CLOSING: 1}
        await asyncio.wait([process.flusher], timeout=DEADLINE)
        await holding.rollback()
        assert await world.count(outside, "runs") == 0


async def test_whoever_went_away_before_the_flush_makes_no_run(db, database, process, holding):
    """A request that timed out is not carried out afterwards."""
    async with database.connection() as outside:
        job = await world.a_job(outside)
        first = await _a_flush_that_waits(process, job, outside)
        gone = asyncio.create_task(process.trigger(job))
        last = asyncio.create_task(process.trigger(job))
        await until(lambda: _are_unwritten(process, 3))

        gone.cancel()
        await holding.rollback()

        made = {(await first).id, (await last).id}
        assert {row["id"] for row in await outside.raw.fetch("select id from runs")} == made


async def _a_flush_that_waits(process, job, outside):
    """Trigger a run. Whatever comes from now on waits behind it for the next flush."""
    first = asyncio.create_task(process.trigger(job))
    await until(lambda: waits_for_a_lock(outside))
    return first


async def _are_unwritten(process, count):
    return len(process.intake.flusher) == count
