"""Folders and processes for servers of our own."""

import pytest
from base.db.embedded import machine

from strait_server.base.db.embedded import server as embedded


@pytest.fixture(scope="session")
def place():
    """Make a folder with a server's home in it, `strait`, that was used once."""
    with machine.an_open_folder() as folder:
        embedded.start(folder / "strait", log=lambda _: None).stop()
        yield folder


@pytest.fixture
def scratch():
    """Make an empty folder for the test that will leave it in disorder."""
    with machine.an_open_folder() as folder:
        yield folder


@pytest.fixture
def start():
    """Start servers that end with the test."""
    servers = []

    def _start(directory, **options):
        servers.append(embedded.start(directory, log=lambda _: None, **options))
        return servers[-1]

    yield _start
    for server in servers:
        server.stop()


@pytest.fixture
async def neighbour():
    """Start other processes, which end with the test."""
    neighbours = []

    async def _start(directory, *user, **options):
        neighbours.append(await machine.a_neighbour(directory, *user, **options))
        return neighbours[-1]

    yield _start
    for each in neighbours:
        await each.is_killed()
