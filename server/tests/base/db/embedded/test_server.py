"""A server of our own: created, kept, shared and stopped (design 2, 3)."""

import asyncio
import socket
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from base.db.embedded.machine import (
    a_home_of_another_version,
    kill_all,
    older_postgres,
    postmasters,
    processes,
    query,
)

from strait_server.base.db.embedded import account, home
from strait_server.base.db.embedded.errors import EmbeddedFailed, OtherMajor

# The driver's own error comes when the server says goodbye between two statements.
LOST_CONNECTION = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)


def over_tcp(server):
    """Tell how any other program on this machine gets in: with the password."""
    password = (server.directory / "password").read_text()
    return f"postgresql://strait:{password}@127.0.0.1:{server.port}/strait"


async def test_a_server_answers_on_its_socket_and_over_tcp(scratch, start):
    server = start(scratch / "strait")

    assert await query(server.dsn, "select current_database()") == "strait"
    assert await query(over_tcp(server), "select current_user::text") == "strait"
    assert await query(server.dsn, "show server_version") == server.version


async def test_commits_are_durable_and_their_log_is_logical(place, start):
    server = start(place / "strait")

    in_force = await query(
        server.dsn,
        """
        select json_object_agg(name, setting order by name)::text from pg_settings
        where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_level', 'jit')
        """,
    )

    assert in_force == (
        '{ "fsync" : "on", "full_page_writes" : "on", "jit" : "off", '
        '"synchronous_commit" : "on", "wal_level" : "logical" }'
    )


async def test_text_is_unicode_sorted_by_bytes_and_the_day_is_utc(place, start):
    server = start(place / "strait")

    locale = await query(
        server.dsn,
        """
        select array[pg_encoding_to_char(encoding), datcollate::text, current_setting('timezone')]
        from pg_database where datname = 'strait'
        """,
    )

    assert locale == ["UTF8", "C", "UTC"]


async def test_without_the_password_nobody_enters_over_tcp(place, start):
    server = start(place / "strait")

    with pytest.raises(asyncpg.InvalidPasswordError):
        await query(f"postgresql://strait:guess@127.0.0.1:{server.port}/strait", "select 1")


def test_only_the_owner_reads_the_password_the_log_and_the_data(place, start):
    server = start(place / "strait")

    modes = [
        (server.directory / name).stat().st_mode & 0o777
        for name in ("password", "data", "server.log")
    ]

    assert modes == [0o600, 0o700, 0o600]


async def test_what_was_committed_is_there_after_a_stop(place, start):
    server = start(place / "strait")
    await query(server.dsn, "create table kept as select 42 as answer")
    server.stop()

    again = start(place / "strait")

    assert await query(again.dsn, "select answer from kept") == 42


async def test_what_was_committed_is_there_after_a_crash(place, start):
    server = start(place / "strait")
    await query(server.dsn, "create table crashed as select 42 as answer")

    server.kill()
    with pytest.raises((ConnectionError, FileNotFoundError)):
        await query(server.dsn, "select 1")
    server.restart()

    assert await query(server.dsn, "select answer from crashed") == 42
    assert len(postmasters(server.directory)) == 1


async def test_every_acknowledged_row_survives_a_crash_under_load(place, start):
    server = start(place / "strait")
    writer = await asyncpg.connect(server.dsn)
    await writer.execute("create table acknowledged (id int)")
    rows, enough = 0, asyncio.Event()

    async def write():
        nonlocal rows
        while True:
            await writer.execute("insert into acknowledged values (1)")
            rows += 1
            if rows == 50:
                enough.set()

    writing = asyncio.create_task(write())
    await enough.wait()
    await asyncio.to_thread(server.kill)
    with pytest.raises(LOST_CONNECTION):
        await writing
    server.restart()

    kept = await query(server.dsn, "select count(*) from acknowledged")
    assert kept in (rows, rows + 1)  # the last may have been on its way


async def test_a_server_that_died_is_revived_once(place, start):
    server = start(place / "strait")
    assert not server.revive()

    await kill_all(postmasters(server.directory))

    assert server.revive()
    assert not server.revive()
    assert await query(server.dsn, "select 1") == 1


def test_a_stopped_server_leaves_no_process(place, start):
    server = start(place / "strait")
    assert processes(server.directory)

    server.stop()

    assert not processes(server.directory)


async def test_a_stop_does_not_wait_for_clients(place, start):
    server = start(place / "strait")
    client = await asyncpg.connect(server.dsn)
    await client.execute("begin")

    server.stop()

    with pytest.raises(LOST_CONNECTION):
        await client.execute("commit")
    client.terminate()


def test_stopping_twice_is_stopping_once(place, start):
    server = start(place / "strait")

    server.stop()
    server.stop()

    assert not server.owned


async def test_a_restart_keeps_the_port(place, start):
    server = start(place / "strait")
    before = server.dsn

    server.restart()

    assert server.dsn == before
    assert await query(server.dsn, "select 1") == 1


async def test_a_port_that_somebody_took_is_replaced(place, start):
    server = start(place / "strait")
    taken = server.port
    server.stop()

    with socket.create_server(("127.0.0.1", taken)):
        again = start(place / "strait")

        assert again.port != taken
        assert await query(over_tcp(again), "select 1") == 1


def test_a_process_that_got_the_old_id_of_a_dead_server_is_left_alone(place, start):
    server = start(place / "strait")
    server.kill()
    user = account.current()
    other = subprocess.Popen(["/bin/sleep", "60"], user=user.switch_user)
    stale = server.directory / "data" / "postmaster.pid"
    stale.write_text(stale.read_text().replace(str(server.pid), str(other.pid), 1))

    server.restart()

    assert server.pid != other.pid
    assert other.poll() is None
    other.kill()
    other.wait()


async def test_a_long_folder_name_has_its_socket_elsewhere(scratch, start):
    server = start(scratch / ("long" * 30) / "strait")

    assert await query(server.dsn, "select inet_server_addr() is null")


def test_a_socket_elsewhere_goes_with_the_server(scratch, start):
    server = start(scratch / ("long" * 30))
    [sockets] = parse_qs(urlsplit(server.dsn).query)["host"]

    server.stop()

    assert not Path(sockets).exists()


async def test_a_folder_name_may_hold_any_character(scratch, start):
    server = start(scratch / "a b,c%d")

    assert await query(server.dsn, "select inet_server_addr() is null")


def test_a_socket_folder_that_somebody_prepared_is_refused(scratch, start):
    directory = scratch / ("long" * 30)
    sockets = home.socket_folder(home.locate(directory, account.current()))
    sockets.mkdir()
    sockets.chmod(0o777)

    with pytest.raises(EmbeddedFailed, match="not a private folder"):
        start(directory)

    sockets.rmdir()


def test_a_server_that_does_not_start_says_why(place, start):
    with pytest.raises(EmbeddedFailed, match="nonsense") as refusal:
        start(place / "strait", settings={"shared_buffers": "nonsense"})

    assert any("shared_buffers" in line for line in refusal.value.problems)
    assert start(place / "strait").owned


def test_data_of_a_version_that_is_not_here_is_refused(scratch, start):
    server = start(scratch / "strait")
    server.stop()
    (server.directory / "data" / "PG_VERSION").write_text("13\n")

    with pytest.raises(OtherMajor, match="written by PostgreSQL 13") as refusal:
        start(scratch / "strait")

    assert any("pg_upgrade" in line for line in refusal.value.problems)


@pytest.mark.skipif(
    older_postgres() is None,
    reason="one registry package is one version: this takes the distribution's, which is older",
)
async def test_data_of_another_version_is_served_by_that_version(start):
    with a_home_of_another_version() as directory:
        major = int((directory / "data" / "PG_VERSION").read_text())

        server = start(directory)

        assert server.version.startswith(f"{major}.")
        assert int(await query(server.dsn, "show server_version_num")) // 10_000 == major
        server.stop()


def test_an_unfinished_database_is_made_again(scratch, start):
    unfinished = scratch / "strait" / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    server = start(scratch / "strait")

    assert server.owned
    assert not unfinished.exists()


def test_a_log_that_grew_large_is_set_aside(place, start):
    with (place / "strait" / "server.log").open("wb") as log:
        log.truncate(11_000_000)

    server = start(place / "strait")

    assert (server.directory / "server.log").stat().st_size < 1_000_000
    assert (server.directory / "server.log.1").stat().st_size == 11_000_000
