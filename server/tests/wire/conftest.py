"""The product as a process of its own, and the published client as another."""

import pytest
from journeys.endpoint import Endpoint
from journeys.stage import READY, SERVER, SETTINGS, SOURCE, Program, eventually
from wire.published import Published
from wire.scene import Scene, Server, fails

DATABASE = "strait_wire"


@pytest.fixture(scope="session")
async def process(postgres, template, tmp_path_factory):
    """Start a process that serves and works, without limits nobody asked for."""
    await postgres.create(DATABASE, template=template)
    folder = tmp_path_factory.mktemp("wire")
    environ = {
        **SETTINGS,
        "MODE": "all",
        "PORT": "0",
        "DATABASE_URL": postgres.dsn_of(DATABASE),
        "DATA_DIR": str(folder),
        "PYTHONPATH": str(SOURCE),
        "PYTHONDONTWRITEBYTECODE": "",  # half of the start is compiling
        "REQUEST_TIMEOUT": "3s",
    }
    program = Program("wire", SERVER, environ, folder / "server.log")
    await eventually(lambda: program.has_said("ready"), within=READY)
    [place] = [line for line in program.said() if line["msg"] == "answering"]
    yield Server(program, place["host"], place["port"])
    program.kill()


@pytest.fixture
def server(process):
    """Ask the process, and see that it has nothing to complain about afterwards."""
    before = len(process.complaints())
    yield process
    assert process.program.alive
    assert process.complaints()[before:] == []


@pytest.fixture(scope="session")
async def endpoint():
    """Start the user's endpoint. It `works`, or it `fails`."""
    endpoint = Endpoint()
    endpoint.play("fails", fails)
    await endpoint.start()
    yield endpoint
    await endpoint.stop()


@pytest.fixture
async def scene(server, endpoint):
    async with Scene(server, endpoint) as scene:
        yield scene


@pytest.fixture(scope="session")
async def published():
    published = await Published.start()
    yield published
    await published.stop()
