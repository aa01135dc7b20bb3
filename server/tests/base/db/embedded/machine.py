"""What runs on this machine: other processes that use a server, and the server's own."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil

import strait_server
from strait_server.base.db.embedded import account, binaries, cluster, home
from strait_server.base.db.embedded.errors import OtherMajor
from strait_server.base.db.embedded.lock import FileLock

SOURCE = Path(strait_server.__file__).parents[1]
DEADLINE = 60.0
# The other process of a test: it becomes a user, starts the server, says what
# it got, and stops it when it is told a line. It changes its user after the
# imports, since Python itself may be out of that user's reach.
NEIGHBOUR = """
import json, os, pwd, signal, sys
from pathlib import Path
from strait_server.base.db.embedded import server as embedded
signal.signal(signal.SIGINT, signal.default_int_handler)
if len(sys.argv) > 2:
    user = pwd.getpwnam(sys.argv[2])
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
server = embedded.start(Path(sys.argv[1]), log=lambda line: print(line, file=sys.stderr))
print(json.dumps({"pid": server.pid, "owned": server.owned, "dsn": server.dsn}), flush=True)
sys.stdin.readline()
server.stop()
"""


class Neighbour:
    """Another process that uses the server of a folder."""

    def __init__(self, process):
        self.process = process

    async def hears(self):
        line = await asyncio.wait_for(self.process.stdout.readline(), DEADLINE)
        assert line, (await self.process.stderr.read()).decode()
        return json.loads(line)

    async def leaves(self):
        self.process.stdin.write(b"\n")
        await asyncio.wait_for(self.process.wait(), DEADLINE)

    async def is_killed(self):
        if self.process.returncode is None:
            self.process.kill()
        await asyncio.wait_for(self.process.communicate(), DEADLINE)


async def a_neighbour(directory, *user, python_path=()):
    """Start another process, which may become another user."""
    path = os.pathsep.join(map(str, (*python_path, SOURCE)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NEIGHBOUR, str(directory), *user),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
    )
    return Neighbour(process)


@contextmanager
def an_open_folder():
    """Make a folder that every user may enter, as a server's user must."""
    folder = Path(tempfile.mkdtemp()).resolve()
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        for process in processes(folder):
            process.kill()
        shutil.rmtree(folder)


@contextmanager
def a_home_of_another_version():
    """Make a home whose data an older major version wrote."""
    user = account.current()
    with an_open_folder() as folder:
        place = home.locate(folder / "strait", user)
        home.furnish(place, user)
        lock = FileLock(place.server_lock)
        assert lock.acquire()
        cluster.create(place, user, older_postgres(), lock=lock.descriptor)
        lock.release()
        yield place.folder


def older_postgres():
    """Find the programs of a PostgreSQL older than ours, if this machine has any."""
    user = account.current()
    ours = binaries.find(user, major=None, cache=home.SHARED_PLACE)
    for major in range(binaries.OLDEST_MAJOR, ours.major):
        try:
            return binaries.find(user, major=major, cache=home.SHARED_PLACE)
        except OtherMajor:
            continue
    return None


def postmasters(directory):
    """List the live servers of a folder: processes that are no child of another."""
    everyone = processes(directory)
    pids = {process.pid for process in everyone}
    return [process for process in everyone if process.info["ppid"] not in pids]


def processes(directory):
    """List every live process that works in the folder, backends too."""
    found = []
    for process in psutil.process_iter(["name", "cwd", "ppid"]):
        cwd = process.info["cwd"] or ""
        if process.info["name"] == "postgres" and cwd.startswith(str(directory)):
            found.append(process)
    return found


async def until(happened):
    """Wait for what nobody tells us: other processes, which are not our children."""
    async with asyncio.timeout(DEADLINE):
        while not happened():  # there is no event to await
            await asyncio.sleep(0.01)


async def kill_all(victims):
    """Crash processes and return when they are dead, buried or not."""
    for victim in victims:
        victim.kill()
    await until(lambda: not any(_is_alive(victim) for victim in victims))


def _is_alive(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


async def query(dsn, statement):
    connection = await asyncpg.connect(dsn, timeout=DEADLINE)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
