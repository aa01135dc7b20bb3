"""Circuits and health of endpoints, shared by workers (behaviour 11.1, 14.1; T33, T34, D25)."""

import asyncio

import pytest
import world
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st
from work.dispatch.service.circuits import URL, ask, fail, succeed

from strait_server.base.db.database import Line
from strait_server.work.dispatch import store
from strait_server.work.dispatch.model import Allow, Probe
from strait_server.work.dispatch.rules import circuit as circuits
from strait_server.work.dispatch.service import endpoints as module
from strait_server.work.dispatch.service.endpoints import Endpoints, Later

OTHER = "proj_2"


async def let_a_minute_pass(db, *workers):
    await db.raw.execute(
        "update endpoint_circuits set open_until = open_until - interval '1 minute', "
        "probe_until = probe_until - interval '1 hour'"
    )
    for worker in workers:
        worker.changed()


async def row(db):
    return await db.raw.fetchrow("select * from endpoint_circuits where endpoint = $1", URL)


async def test_an_unknown_endpoint_is_open_to_all(new_worker):
    assert await ask(new_worker()) == Allow()


async def test_the_fifth_failure_in_a_row_opens_the_circuit_for_a_minute(new_worker):
    worker = new_worker()

    await fail(worker, 4)
    assert await ask(worker) == Allow()
    await fail(worker)

    gate = await ask(worker)
    assert isinstance(gate, Later)
    assert gate.seconds == pytest.approx(60, abs=1)
    assert gate.reason == "endpoint circuit is open"


async def test_failures_of_several_workers_add_up(new_worker):
    workers = [new_worker() for _ in range(5)]
    for worker in workers:
        await ask(worker)
        await fail(worker)

    assert isinstance(await ask(new_worker()), Later)


async def test_a_success_in_between_starts_the_count_anew(new_worker):
    worker = new_worker()
    await fail(worker, 4)
    await succeed(worker)
    await fail(worker, 4)

    assert await ask(worker) == Allow()
    assert await ask(new_worker()) == Allow()


async def test_another_worker_reads_what_was_persisted(new_worker):
    await fail(new_worker(), 5)

    gate = await ask(new_worker())

    assert isinstance(gate, Later)
    assert gate.seconds == pytest.approx(60, abs=1)


async def test_failures_while_it_is_open_do_not_prolong_it(db, new_worker):
    worker = new_worker()
    await fail(worker, 5)
    until = (await row(db))["open_until"]

    await fail(worker, 3)

    assert (await row(db))["open_until"] == until


async def test_one_project_does_not_close_an_endpoint_to_another(new_worker):
    """T33."""
    worker = new_worker()
    await fail(worker, 5)

    assert await ask(worker, OTHER) == Allow()


async def test_fifty_claimers_send_one_probe(db, new_worker):
    """T34: whoever they belong to."""
    workers = [new_worker() for _ in range(5)]
    await fail(workers[0], 5)
    await let_a_minute_pass(db, *workers)

    gates = await asyncio.gather(*(ask(worker) for worker in workers for _ in range(10)))

    assert [type(gate) for gate in gates].count(Probe) == 1
    assert [type(gate) for gate in gates].count(Later) == 49
    assert (await row(db))["state"] == "half_open"


async def test_while_one_probes_the_others_may_look_again_soon(db, new_worker):
    """The probe may take as long as its job's timeout, but it may also be over at once."""
    worker, other = new_worker(), new_worker()
    await fail(worker, 5)
    await let_a_minute_pass(db, worker)
    await ask(worker, seconds=86_400.0)

    for gate in (await ask(worker), await ask(other)):
        assert isinstance(gate, Later)
        assert gate.probed


async def test_the_probes_success_closes_the_circuit_for_all(db, new_worker):
    worker, other = new_worker(), new_worker()
    await fail(worker, 5)
    await let_a_minute_pass(db, worker)
    await ask(worker)

    await succeed(worker)

    assert await ask(worker) == Allow()
    assert await ask(other) == Allow()
    closed = await row(db)
    assert (closed["state"], closed["failures"], closed["open_until"]) == ("closed", 0, None)


async def test_the_probes_failure_opens_it_for_another_minute(db, new_worker):
    worker = new_worker()
    await fail(worker, 5)
    await let_a_minute_pass(db, worker)
    await ask(worker)

    await fail(worker)

    for one in (worker, new_worker()):
        gate = await ask(one)
        assert isinstance(gate, Later)
        assert gate.seconds == pytest.approx(60, abs=1)


async def test_a_prober_that_is_never_heard_of_again_is_replaced(db, new_worker):
    worker, other = new_worker(), new_worker()
    await fail(worker, 5)
    await let_a_minute_pass(db, worker)
    await ask(worker, seconds=300.0)
    await let_a_minute_pass(db)

    assert isinstance(await ask(other), Probe)


async def test_a_probe_that_found_out_nothing_lets_another_try(db, new_worker):
    """It was refused for what it asked, or never sent: that says nothing of the endpoint."""
    worker, other = new_worker(), new_worker()
    await fail(worker, 5)
    await let_a_minute_pass(db, worker)
    await ask(worker, seconds=86_400.0)

    worker.undecided(world.PROJECT, URL)
    await worker.report()

    assert isinstance(await ask(other), Probe)


async def test_what_says_nothing_about_an_endpoint_changes_nothing(db, new_worker):
    worker = new_worker()
    await fail(worker, 4)

    worker.undecided(world.PROJECT, URL)
    await worker.report()
    await fail(worker)

    assert isinstance(await ask(new_worker()), Later)


async def test_the_score_is_persisted_and_read_by_others(db, new_worker):
    """B.3."""
    worker = new_worker()

    await fail(worker, 4)

    assert (await row(db))["health_score"] == pytest.approx(65.61)
    other = new_worker()
    await ask(other)
    assert other.score(world.PROJECT, URL) == pytest.approx(65.61)


async def test_an_unhealthy_endpoint_gets_one_run_a_minute(db, new_worker):
    """Behaviour 11.1: it could never recover else."""
    await fail(new_worker())
    await db.raw.execute("update endpoint_circuits set health_score = 25, failures = 0")
    worker = new_worker()

    first, second = await ask(worker), await ask(worker)

    assert first == Allow()
    assert isinstance(second, Later)
    assert second.seconds == pytest.approx(60, abs=1)
    assert second.reason == "endpoint is unhealthy"


async def hang_up(db):
    """End every other connection to the database."""
    await db.raw.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


async def test_a_report_survives_an_outage(db, new_worker):
    worker = new_worker()
    await fail(worker, 4)
    await hang_up(db)

    worker.failed(world.PROJECT, URL)
    await worker.report()
    worker.failed(world.PROJECT, URL)
    await worker.report()

    assert (await row(db))["failures"] == 6


@pytest.mark.parametrize("outage", [False, True])
async def test_however_many_endpoints_there_are_each_is_reported_once(db, new_worker, outage):
    """Reports are written a hundred at a time."""
    worker = new_worker()
    await fail(worker)
    urls = {f"http://{host}.example:80/work" for host in range(250)}
    for url in urls:
        worker.failed(world.PROJECT, url)

    if outage:
        await hang_up(db)
        await worker.report()
    await worker.report()
    await worker.report()

    rows = await db.raw.fetch("select endpoint, failures from endpoint_circuits")
    assert {found["endpoint"] for found in rows} == {URL, *urls}
    assert {found["failures"] for found in rows} == {1}


# A report does to the row what its events would have done one by one.


def _replay(worker, events):
    for succeeded in events:
        if succeeded:
            worker.succeeded(world.PROJECT, URL, seconds=1.0, timeout=10.0)
        else:
            worker.failed(world.PROJECT, URL)


async def _start_from(line, before):
    async with line.connection() as db:
        await db.raw.execute("truncate endpoint_circuits")
        if before:
            await db.raw.execute(
                "insert into endpoint_circuits (project_id, endpoint, state, failures, open_until, "
                "probe_until, health_score) values ($1, $2, $3::text, 4, "
                "case $3::text when 'open' then now() end, "
                "case $3::text when 'half_open' then now() end, 50)",
                world.PROJECT,
                URL,
                before,
            )


async def test_however_events_are_cut_into_reports_they_do_the_same(database, db):
    """Property: the tally of a worker is a homomorphism (checked against the pure rules, too)."""
    line = Line(database)
    loop = asyncio.get_running_loop()

    async def state_after(before, chunks):
        await _start_from(line, before)
        worker = Endpoints(database, line)
        for chunk in chunks:
            _replay(worker, chunk)
            await worker.report()
        async with line.connection() as reading:
            known = await store.circuit(reading, world.PROJECT, URL)
        state = str(known.state)
        counted = known.failures if state == "closed" else None
        return state, counted, round(known.health_score, 6)

    @bounds(max_examples=25, deadline=None, database=None)
    @given(
        before=st.sampled_from([None, "closed", "open", "half_open"]),
        chunks=st.lists(st.lists(st.booleans(), min_size=1, max_size=7), min_size=1, max_size=4),
    )
    def check(before, chunks):
        events = [event for chunk in chunks for event in chunk]
        whole = asyncio.run_coroutine_threadsafe(state_after(before, [events]), loop).result()
        parts = asyncio.run_coroutine_threadsafe(state_after(before, chunks), loop).result()
        assert parts == whole
        assert whole[0] == _by_the_rules(before, events)

    await asyncio.to_thread(check)
    await line.close()


def _by_the_rules(before, events):
    now = module._now()
    known = circuits.after_success()
    if before:
        known = module.Circuit(state=module.CircuitState(before), failures=4, open_until=now)
    for succeeded in events:
        known = circuits.after_success() if succeeded else circuits.after_failure(known, now=now)
    return str(known.state)
