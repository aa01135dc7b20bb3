"""One server, several processes: who starts it, who stops it, who survives whom."""

import asyncio
import signal

import pytest
from base.db.embedded.machine import kill_all, postmasters, processes, query, until

from strait_server.base.db.embedded.errors import EmbeddedFailed


async def test_a_second_start_shares_the_server(place, start):
    first = start(place / "strait")
    second = start(place / "strait")

    assert second.pid == first.pid
    assert (first.owned, second.owned) == (True, False)


async def test_who_only_shares_neither_stops_nor_restarts(place, start):
    first = start(place / "strait")
    second = start(place / "strait")

    second.stop()
    with pytest.raises(EmbeddedFailed, match="another process"):
        second.restart()

    assert await query(first.dsn, "select 1") == 1


async def test_two_starters_at_once_get_one_server(scratch, neighbour):
    pair = await asyncio.gather(neighbour(scratch / "strait"), neighbour(scratch / "strait"))
    answers = await asyncio.gather(*(each.hears() for each in pair))

    assert answers[0]["pid"] == answers[1]["pid"]
    assert sorted(answer["owned"] for answer in answers) == [False, True]
    assert len(postmasters(scratch / "strait")) == 1

    await asyncio.gather(*(each.leaves() for each in pair))
    assert not processes(scratch / "strait")


async def test_the_server_of_a_killed_process_is_taken_over(place, start, neighbour):
    killed = await neighbour(place / "strait")
    orphan = await killed.hears()
    await query(orphan["dsn"], "create table orphaned as select 42 as answer")
    await killed.is_killed()

    server = start(place / "strait")

    assert (server.pid, server.owned) == (orphan["pid"], True)
    assert await query(server.dsn, "select answer from orphaned") == 42
    assert len(postmasters(server.directory)) == 1
    server.stop()
    assert not processes(server.directory)


async def test_a_server_that_died_with_its_process_is_started_again(place, start, neighbour):
    killed = await neighbour(place / "strait")
    dead = await killed.hears()
    await query(dead["dsn"], "create table died as select 42 as answer")
    await killed.is_killed()
    await kill_all(postmasters(place / "strait"))

    server = start(place / "strait")

    assert server.pid != dead["pid"]
    assert await query(server.dsn, "select answer from died") == 42
    assert len(postmasters(server.directory)) == 1


async def test_a_process_killed_while_it_creates_leaves_nothing_in_the_way(
    scratch, start, neighbour
):
    killed = await neighbour(scratch / "strait")
    await until((scratch / "strait" / "data.unfinished").exists)
    await killed.is_killed()

    server = start(scratch / "strait")

    assert server.owned
    assert len(postmasters(server.directory)) == 1


async def test_an_interrupted_start_leaves_no_server(scratch, start, neighbour):
    server = start(scratch / "strait")
    server.stop()
    data = server.directory / "data"
    (data / "recovery.signal").touch()
    (data / "postgresql.auto.conf").write_text("restore_command = 'sleep 60'\n")
    interrupted = await neighbour(scratch / "strait")

    await until(lambda: postmasters(scratch / "strait"))
    interrupted.process.send_signal(signal.SIGINT)
    await interrupted.process.wait()

    await until(lambda: not processes(scratch / "strait"))


async def test_a_taken_over_server_restarts(place, start, neighbour):
    killed = await neighbour(place / "strait")
    orphan = await killed.hears()
    await killed.is_killed()

    server = start(place / "strait")
    server.restart()

    assert server.pid != orphan["pid"]
    assert await query(server.dsn, "select 1") == 1
