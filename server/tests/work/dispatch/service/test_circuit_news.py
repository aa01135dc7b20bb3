"""What workers hear of each other's circuits (behaviour 11.1; T33, T34)."""

import asyncio

import pytest
import world
from work.dispatch.service.circuits import URL, ask, fail, succeed

from strait_server.work.dispatch.model import Allow
from strait_server.work.dispatch.service.endpoints import CHANNEL, Later
from strait_server.work.dispatch.service.provisions import LONGEST_NAME


async def test_a_late_failure_after_the_change_was_heard_does_not_close_it(db, new_worker):
    """The copy was dropped; another one is read, not made up."""
    worker = new_worker()
    await fail(worker, 5)
    worker.changed(f"{world.PROJECT} {URL}")

    worker.failed(world.PROJECT, URL)

    assert isinstance(await ask(worker), Later)


async def test_all_who_ask_at_once_share_one_reading(database, monkeypatch, new_worker):
    """A worker that starts has its hands full of runs of one endpoint."""
    readings = 0
    lend = database.connection

    def counted(*scope):
        nonlocal readings
        readings += 1
        return lend(*scope)

    monkeypatch.setattr(database, "connection", counted)
    worker = new_worker()

    assert await asyncio.gather(*(ask(worker) for _ in range(250))) == [Allow()] * 250

    assert readings == 1


async def test_a_change_while_a_copy_is_being_read_is_not_missed(database, new_worker):
    """The reading may be older than the change."""
    worker = new_worker()
    reading = asyncio.create_task(ask(worker))
    for _ in range(2):  # it asks, and the reading begins
        await asyncio.sleep(0)

    await fail(new_worker(), 5)
    worker.changed(f"{world.PROJECT} {URL}")
    await reading

    assert isinstance(await ask(worker), Later)


async def test_a_change_is_announced_and_nothing_else_is(db, database, new_worker):
    heard = []
    listening = await database.dedicated()
    await listening.add_listener(CHANNEL, lambda *told: heard.append(told[-1]))
    worker = new_worker()

    await fail(worker, 4)
    await fail(worker)
    await fail(worker)
    await succeed(worker)
    await succeed(worker)

    async with asyncio.timeout(5):
        while len(heard) < 2:
            await asyncio.sleep(0)
    await listening.execute("select 1")
    assert heard == [f"{world.PROJECT} {URL}"] * 2
    await listening.close()


@pytest.mark.parametrize("project_id", ["a project", " a  b ", "http://a/ b"])
async def test_a_change_is_understood_though_the_projects_id_has_spaces(
    database, new_worker, project_id
):
    heard = asyncio.Queue()
    listening = await database.dedicated()
    await listening.add_listener(CHANNEL, lambda *told: heard.put_nowait(told[-1]))
    worker = new_worker()
    assert await ask(worker, project_id) == Allow()

    await fail(new_worker(), 5, project_id)
    async with asyncio.timeout(5):
        worker.changed(await heard.get())

    assert isinstance(await ask(worker, project_id), Later)
    await listening.close()


async def test_the_circuit_of_the_longest_name_is_kept_and_announced(new_worker):
    project_id, endpoint = "😀" * 64, "e" * LONGEST_NAME
    worker = new_worker()
    for _ in range(5):
        worker.failed(project_id, endpoint)

    await worker.report()

    assert isinstance(await new_worker().admit(project_id, endpoint, probe_seconds=1.0), Later)
