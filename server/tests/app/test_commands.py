"""What an operator can ask of the server itself (design 3, 6; behaviour 17.1)."""

import json
import os
import signal
import socket
import subprocess
import sys

import asyncpg
import pytest
import world
from base.db.embedded import machine
from crew import eventually

from strait_server.app import commands
from strait_server.base.db.migrations.runner import SQL

DEADLINE = 60.0
END_OTHERS = """
select pg_terminate_backend(pid)
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and query like '%try_advisory%'
"""
SECRETS = {name: world.ENVIRON[name] for name in ("INTERNAL_SECRET", "JWT_SIGNING_KEY")}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in an empty folder, with nothing but what the test sets in the environment."""
    for name in list(os.environ):
        if name not in {"PATH", "HOME", "TMPDIR"}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run():
    """Start Python in the folder, with an environment of its own; it ends with the test."""
    started = []

    def _run(folder, *arguments, **environ):
        started.append(
            subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, *arguments],
                cwd=folder,
                env={"PATH": os.environ["PATH"], **environ},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[-1]

    yield _run
    for each in started:
        each.terminate()  # not killed: it has children of its own
        each.communicate(timeout=DEADLINE)


@pytest.fixture
async def other_migration(empty_dsn):
    """Hold the lock of migrations."""
    raw = await asyncpg.connect(empty_dsn)
    assert await raw.fetchval(SQL["try_lock"].text)
    yield raw
    await raw.close()


def hears(process, message, *, times=1):
    """Read what a process logs until it has said the message so often; answer everything read."""
    lines = []
    while sum(line["msg"] == message for line in lines) < times:
        line = process.stdout.readline()
        assert line, f"{message!r} was not said {times} times: {lines}"
        lines.append(json.loads(line))
    return lines


def ends(process):
    """Wait for the end, and answer the exit code and the rest of what was said."""
    said, _ = process.communicate(timeout=DEADLINE)
    return process.returncode, said


def test_a_database_in_the_file_asks_for_secrets_and_none_is_made_up(here):
    (here / "strait.toml").write_text('database_url = "postgresql://localhost/strait"')

    report = commands.config_check()

    assert [problem.partition(" ")[0] for problem in report.problems] == list(SECRETS)
    assert not (here / ".strait").exists()


def test_made_up_secrets_lie_in_the_folder_that_the_file_names(here):
    (here / "strait.toml").write_text('data_dir = "elsewhere"')

    report = commands.config_check()

    assert report.problems == []
    assert (here / "elsewhere" / "secrets.toml").stat().st_mode & 0o777 == 0o600
    assert not (here / ".strait").exists()


def test_a_file_that_is_not_there_is_a_problem_like_others(here, monkeypatch, run):
    monkeypatch.setenv("STRAIT_CONFIG", "none.toml")

    report = commands.config_check()
    code, said = ends(run(here, "-m", "strait_server", STRAIT_CONFIG="none.toml"))

    problem = "STRAIT_CONFIG: there is no file 'none.toml'"
    assert report.problems == [problem]
    assert (code, said) == (3, f"strait: the configuration is not valid\n  {problem}\n")


def test_a_folder_that_cannot_be_made_is_a_problem_like_others(here, monkeypatch):
    (here / "taken").touch()
    monkeypatch.setenv("DATA_DIR", "taken")

    [problem] = commands.config_check().problems

    assert problem.endswith("'taken'")


def test_the_embedded_database_lies_in_the_folder_that_the_file_names(run):
    with machine.an_open_folder() as folder:
        (folder / "strait.toml").write_text('data_dir = "elsewhere"\nport = 0')

        server = run(folder, "-m", "strait_server")
        hears(server, "ready")
        server.send_signal(signal.SIGTERM)

        assert ends(server)[0] == 0
        assert (folder / "elsewhere" / "postgres" / "data").exists()
        assert not (folder / ".strait").exists()


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_port_that_is_taken_is_named_with_the_way_out(empty_dsn, tmp_path, run, processes):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        server = run(
            tmp_path,
            "-m",
            "strait_server",
            f"--processes={processes}",
            DATABASE_URL=empty_dsn,
            PORT=str(port),
            **SECRETS,
        )

        said = (
            f"strait: cannot listen on HOST 127.0.0.1, PORT {port}: the port is taken; "
            "end what listens there, or set another PORT\n"
        )
        assert ends(server) == (3, said)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "x" * 70])
async def test_a_host_that_is_not_ours_is_named_with_the_way_out(empty_dsn, tmp_path, run, host):
    server = run(
        tmp_path, "-m", "strait_server", DATABASE_URL=empty_dsn, HOST=host, PORT="0", **SECRETS
    )

    said = (
        f"strait: cannot listen on HOST {host}, PORT 0: the host is no address of this machine; "
        "set HOST to 127.0.0.1, or 0.0.0.0: all\n"
    )
    assert ends(server) == (3, said)


async def test_migrate_brings_the_database_of_the_file_up_to_date(empty_dsn, tmp_path, run):
    """It asks for no secrets, and answers as other commands do (cli 2)."""
    (tmp_path / "strait.toml").write_text(f'database_url = "{empty_dsn}"')

    ended = [
        ends(run(tmp_path, "-m", "strait_cli", "migrate", "-o", "compact", *check))
        for check in (["--check"], [], ["--check"])
    ]

    [(failed, before), (done, told), (passed, after)] = ended
    document, *_ = before.splitlines()  # people are told as well
    everything = json.loads(document)["pending"]
    assert (failed, done, passed) == (1, 0, 0)
    assert json.loads(told) == {"status": "up_to_date", "applied": everything}
    assert json.loads(after) == {"status": "up_to_date"}


@pytest.mark.parametrize(
    "command",
    [
        ["strait_cli", "migrate", "-o", "compact"],
        ["strait_cli", "migrate", "--check", "-o", "compact"],
        ["strait_cli", "serve"],
        ["strait_server", "--processes=2"],
    ],
    ids=["migrate", "check", "serve", "processes"],
)
def test_a_database_that_is_not_there_is_named_with_the_way_out(tmp_path, run, command):
    """And not its password. The exit code is that of a server that is not there (cli 3)."""
    url = "postgresql://strait:hunter2@127.0.0.1:1/strait"

    code, said = ends(run(tmp_path, "-m", *command, DATABASE_URL=url, PORT="0", **SECRETS))

    assert code == 12
    assert (
        "cannot connect to DATABASE_URL postgresql://***@127.0.0.1:1/strait: Connection refused; "
        "see whether PostgreSQL runs there, or set another DATABASE_URL"
    ) in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        ("/postgres?", "/nowhere?", 'database "nowhere" does not exist; create it'),
        ("strait@", "nobody@", 'Peer authentication failed for user "nobody"; let this user in'),
    ],
)
def test_what_postgresql_says_is_the_reason(postgres, tmp_path, run, right, wrong, reason):
    url = postgres.dsn_of("postgres").replace(right, wrong)

    code, said = ends(run(tmp_path, "-m", "strait_cli", "migrate", DATABASE_URL=url))

    assert (code, json.loads(said)["code"]) == (12, "unreachable")
    assert f": {reason}, or set another DATABASE_URL" in json.loads(said)["error"]


@pytest.mark.parametrize("password", ["hun/ter2", "hun#ter2", "hun?ter2"])
def test_an_address_that_is_none_tells_nothing_of_the_password(tmp_path, run, password):
    url = f"postgresql://strait:{password}@127.0.0.1/strait"

    code, said = ends(run(tmp_path, "-m", "strait_server", DATABASE_URL=url, **SECRETS))

    assert code == 3
    assert said.startswith("strait: DATABASE_URL will not do; write an address such as ")
    assert "hun" not in said
    assert "ter2" not in said


async def test_a_connection_that_is_lost_while_migrating_is_said_to_be(
    empty_dsn, other_migration, tmp_path, run
):
    migrating = run(tmp_path, "-m", "strait_cli", "migrate", DATABASE_URL=empty_dsn)

    await eventually(lambda: other_migration.fetchval(END_OTHERS), within=DEADLINE)

    code, said = ends(migrating)
    assert code == 12
    assert " was lost: " in (error := json.loads(said)["error"])
    assert error.endswith("; start again: what was applied stays")


@pytest.mark.parametrize("command", [["strait_cli", "migrate"], ["strait_server"]])
@pytest.mark.usefixtures("other_migration")
async def test_who_waits_too_long_for_another_migration_has_waited_in_vain(
    empty_dsn, tmp_path, run, command
):
    hurry = {"MIGRATION_LOCK_TIMEOUT": "100ms", "PORT": "0"}

    code, said = ends(run(tmp_path, "-m", *command, DATABASE_URL=empty_dsn, **hurry, **SECRETS))

    assert code == 9
    assert "somebody else has been migrating this database for 0.1 seconds" in said


async def test_many_processes_share_secrets_and_a_schema_that_waits_for_its_migration(
    database, raw, tmp_path, run
):
    await raw.execute(
        "delete from schema_migrations where version = (select max(version) from schema_migrations)"
    )

    server = run(
        tmp_path,
        "-m",
        "strait_server",
        "--processes=2",
        DATABASE_URL=database.dsn,
        PORT="0",
        MIGRATION_MODE="manual",
        SECRET_ENCRYPTION_KEY="k" * 32,
        **SECRETS,
    )
    said = hears(server, "ready", times=2)
    server.send_signal(signal.SIGTERM)

    assert ends(server)[0] == 0
    assert [line["pending"] for line in said if line["msg"] == "migrations are pending"] == [1] * 3
    assert "process died" not in {line["msg"] for line in said}
