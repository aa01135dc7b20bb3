"""The product as its users run it: an API, workers, and an endpoint that they send runs to."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg
import auditor
import httpx
import msgspec
from journeys.endpoint import Endpoint
from journeys.machine import Postgres, Program, a_folder, eventually

import strait_server
from strait_server.base.db.embedded import postmaster

SOURCE = Path(strait_server.__file__).parents[1]
SERVER = (sys.executable, "-m", "strait_server")
SECRET = "the internal secret of the journeys"
PROJECT = "journeys"
READY = 30.0
SETTINGS = MappingProxyType(
    {
        "HOST": "127.0.0.1",
        "INTERNAL_SECRET": SECRET,
        "JWT_SIGNING_KEY": "a signing key of the journeys, which nobody else uses",
        "ENCRYPTION_KEY": "00" * 32,
        "ALLOW_PRIVATE_ENDPOINTS": "true",
        "DB_MIN_CONNS": "1",
        "DB_MAX_CONNS": "10",
        "WORKER_CONCURRENCY": "16",
        "ADAPTIVE_CONCURRENCY_MAX": "16",
        "LOG_LEVEL": "info",
    }
)
ENDED_BADLY = ("execution failed", "request failed", "Task exception was never retrieved")
"""Log lines that no fault of another process excuses."""


def check(found: Iterable[auditor.Violation]) -> None:
    """Fail with all that is wrong."""
    lines = [f"{rule}: {what}" for rule, what in found]
    assert not lines, "\n".join(lines[:20])


class Stage:
    """One PostgreSQL, one endpoint, one API at a fixed port, and workers as they are started."""

    def __init__(self, folder: Path, postgres: Postgres, endpoint: Endpoint):
        self.folder = folder
        self.postgres = postgres
        self.endpoint = endpoint
        self.port = postmaster.free_port(None)
        self.api: Program | None = None
        self.workers: list[Program] = []
        self.programs: list[Program] = []
        self.faults: list[float] = []
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=15)
        self._numbers = count(1)
        self._jobs: set[str] = set()
        self.credentials: dict[str, str] = {}

    async def start_api(self, *command: str, mode: str = "api") -> Program:
        self.api = self._start(mode, *command, PORT=str(self.port))
        await _answers(self.api, self.client)
        return self.api

    @asynccontextmanager
    async def another_api(self, **environ: str) -> AsyncIterator[httpx.AsyncClient]:
        """Have a second API for a while. Answers a customer of it, with time to wait."""
        port = postmaster.free_port(None)
        api = self._start("api", PORT=str(port), **environ)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=self.credentials, timeout=40
        ) as client:
            await _answers(api, client)
            try:
                yield client
            finally:
                api.signal(signal.SIGTERM)
                await api.ended(within=40)

    async def start_worker(self, *command: str, **environ: str) -> Program:
        worker = self._start("worker", *command, **environ)
        self.workers.append(worker)
        await eventually(lambda: worker.has_said("worker registered"), within=READY)
        return worker

    async def stop_workers(self, *, but: Program | None = None) -> None:
        """End them all, in peace."""
        stopped = [worker for worker in self.workers if worker is not but]
        for worker in stopped:
            if worker.alive:
                worker.signal(signal.SIGTERM)
        for worker in stopped:
            await worker.ended(within=40)
        self.workers = [worker for worker in self.workers if worker is but]

    def kill(self, program: Program) -> float:
        """SIGKILL a process. Answers when."""
        if program in self.workers:
            self.workers.remove(program)
        self.fault()
        program.kill()
        return self.faults[-1]

    async def crash_postgres(self) -> None:
        self.fault()
        await self.postgres.crash()

    def fault(self) -> None:
        """Note that now something is done that may make runs be sent twice."""
        self.faults.append(time.monotonic())

    async def job(self, path: str, **settings: object) -> str:
        """Have a job that is sent to this path of the endpoint. Answers its slug, the path."""
        if path in self._jobs:
            return path
        if not self.credentials:
            await self._ask("/v1/projects", {"id": PROJECT, "org_id": "org", "name": "Journeys"})
            key = {"project_id": PROJECT, "name": "key", "scopes": ["*"]}
            made = await self._ask("/v1/api-keys", key)
            self.credentials["Authorization"] = f"Bearer {made['key']}"
        url = self.endpoint.url(path)
        job = {"project_id": PROJECT, "name": path, "slug": path, "endpoint_url": url}
        await self._ask("/v1/jobs", {"run_ttl_secs": 3600, "max_attempts": 100} | job | settings)
        self._jobs.add(path)
        return path

    async def post(
        self, path: str, body: Mapping[str, object], *, key: str | None = None
    ) -> httpx.Response:
        """Ask as a customer; what was sent may be lost on the way."""
        headers = dict(self.credentials)
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.client.post(path, content=msgspec.json.encode(body), headers=headers)

    async def trigger(self, job: str, count: int = 1, **body: object) -> list[str]:
        """Trigger runs. Answers their ids."""
        items = [{"payload": {"n": n}, **body} for n in range(count)]
        answer = await self.post(f"/v1/jobs/{job}/trigger/bulk", {"items": items})
        assert answer.status_code == 201, answer.text
        return [made["id"] for made in answer.json()["results"]]

    async def rows(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        async with self.postgres.connection() as raw:
            return await raw.fetch(sql, *arguments)

    async def runs(self, job: str) -> list[asyncpg.Record]:
        return await self.rows(
            "select runs.* from runs join jobs on jobs.id = runs.job_id"
            " where slug = $1 order by runs.id",
            job,
        )

    async def at_rest(self, *, within: float = 30.0) -> None:
        """Wait until every run has come to its end."""

        async def nothing_is_left() -> bool:
            rows = await self.rows(
                "select not exists (select from runs where finished_at is null)"
                " and not exists (select from leases) and not exists (select from queue) as quiet"
            )
            return rows[0]["quiet"]

        await eventually(nothing_is_left, within=within, what="that every run has come to its end")

    async def audit(self, promised: Collection[UUID] = ()) -> None:
        """Assert that nothing is wrong, in the database, at the endpoint, or in the logs."""
        async with self.postgres.connection() as raw:
            found = await auditor.audit(
                raw, promised=promised, calls=self.endpoint.calls, faults=self.faults
            )
        check(found + self.complaints())

    def complaints(self) -> list[auditor.Violation]:
        """Find what processes logged that no fault of others excuses, the first of each."""
        return [
            auditor.Violation(f"{program.name} has nothing to complain about", f"{bad[0]}"[-1500:])
            for program in self.programs
            if (bad := [line for line in program.said() if line["msg"] in ENDED_BADLY])
        ]

    def close(self) -> None:
        for program in self.programs:
            if program.alive:
                for child in program.children():
                    child.kill()
                program.kill()

    def _start(self, mode: str, *command: str, **environ: str) -> Program:
        name = f"{mode}-{next(self._numbers)}"
        program = Program(
            name,
            command or SERVER,
            {
                **SETTINGS,
                "MODE": mode,
                "PORT": "0",
                "DATABASE_URL": self.postgres.dsn,
                "DATA_DIR": str(self.folder),
                "PYTHONPATH": str(SOURCE),
                "PYTHONDONTWRITEBYTECODE": "",  # half of the start is compiling
                **environ,
            },
            self.folder / f"{name}.log",
        )
        self.programs.append(program)
        return program

    async def _ask(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        answer = await self.client.post(
            path, json=body, headers={"X-Internal-Secret": SECRET, "X-Project-Id": PROJECT}
        )
        assert answer.is_success, answer.text
        return answer.json()


async def _answers(api: Program, client: httpx.AsyncClient) -> None:
    """Wait until an API is ready."""

    async def is_ready() -> bool:
        assert api.alive, f"{api.name} ended: {api.said()[-3:]}"
        with suppress(httpx.TransportError):
            return (await client.get("/health/ready")).is_success
        return False

    await eventually(is_ready, within=READY, what="that the API answers")


@asynccontextmanager
async def standing() -> AsyncIterator[Stage]:
    """Set a stage with an API, and clear it at the end."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(a_folder())
        postgres = await asyncio.to_thread(Postgres, folder / "postgres")
        stack.callback(postgres.stop)
        endpoint = Endpoint()
        await endpoint.start()
        stack.push_async_callback(endpoint.stop)
        stage = Stage(folder, postgres, endpoint)
        stack.callback(stage.close)
        stack.push_async_callback(stage.client.aclose)
        await stage.start_api()
        yield stage
