"""Everything a measurement needs, set up and taken down again.

One PostgreSQL and one endpoint serve all measurements of a bench; each takes
an empty database and starts the product on it. Whatever was started here is
ended here, and nothing else.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

from bench import endpoint, postgres, strait
from bench.accounts import Meter
from bench.endpoint import Endpoint
from bench.postgres import Postgres
from bench.processes import ROOT
from bench.scale import Scale
from bench.strait import Strait

_NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})


class Stage:
    """What is there while a bench runs."""

    def __init__(self, server: Postgres, target: Endpoint, folder: Path, scale: Scale) -> None:
        self.postgres: Final = server
        self.endpoint: Final = target
        self.folder: Final = folder
        self.scale: Final = scale

    def room(self, name: str) -> Path:
        """Make a folder for somebody's logs."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    @asynccontextmanager
    async def strait(
        self,
        name: str = "bench",
        *,
        settings: Mapping[str, str] = _NO_SETTINGS,
        worker: bool = True,
    ) -> AsyncGenerator[Strait]:
        """Run the product on an empty database of its own."""
        dsn = await self.postgres.create(name)
        try:
            await self.postgres.settle()
            async with strait.running(dsn, self.room(name), settings, worker=worker) as running:
                yield running
        finally:
            await self.postgres.drop(name)

    def meter(self, running: Strait) -> Meter:
        """Count CPU from now on: of the product, PostgreSQL and the endpoint."""
        programs = {"api": running.api, "worker": running.worker}
        return Meter(
            {
                **{name: program.pid for name, program in programs.items() if program is not None},
                "postgres": self.postgres.pid,
                "endpoint": self.endpoint.pid,
            }
        )


@asynccontextmanager
async def standing(scale: Scale) -> AsyncGenerator[Stage]:
    """Set the stage."""
    with (
        postgres.running(ROOT / ".strait" / "bench") as server,
        TemporaryDirectory(prefix="strait-bench-") as folder,
    ):
        async with endpoint.running(Path(folder)) as target:
            yield Stage(server, target, Path(folder), scale)
