"""The product under test: its own API and worker processes, spoken to over HTTP as anyone would."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import count, repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench.endpoint import free_port
from bench.load import Answer, LoadFailed, ask, closed_loop, get, post
from bench.postgres import connection
from bench.processes import Program, ProgramFailed
from strait_server.base.clock import monotonic

# 240 bytes, as any application might send.
PAYLOAD: Final = (
    b'{"user_id":12345,"email":"someone@example.com","action":"send_welcome",'
    b'"items":[1,2,3,4,5,6,7,8,9,10,11,12],"note":"a payload of two hundred and forty bytes...",'
    b'"meta":{"source":"web","trace":"4bf92f3577b34da6","ts":"2026-01-01T00:00:00Z"}}'
)
CONCURRENCY: Final = 256
PER_BULK: Final = 500

_PROJECT: Final = "bench"
_SECRET: Final = "a secret of the bench"  # noqa: S105 - of a server that lives for minutes
_CREDENTIALS: Final = MappingProxyType(
    {
        "INTERNAL_SECRET": _SECRET,
        "JWT_SIGNING_KEY": "a signing key of the bench, which nobody else uses",
    }
)


def _at_once(runs: int) -> dict[str, str]:
    names = ("WORKER_CONCURRENCY", "ADAPTIVE_CONCURRENCY_MIN", "ADAPTIVE_CONCURRENCY_MAX")
    return dict.fromkeys(names, str(runs))


SETTINGS: Final = MappingProxyType(
    {
        "HOST": "127.0.0.1",
        "ALLOW_PRIVATE_ENDPOINTS": "true",
        "LOG_LEVEL": "warn",
        **_at_once(CONCURRENCY),
    }
)
AT_ONCE_IN_A_DRAIN: Final = 1000
DRAINING: Final = MappingProxyType(_at_once(AT_ONCE_IN_A_DRAIN))
"""For emptying a full queue, for which the others are tuned, too."""
_READY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.01
_FILL_CONNECTIONS: Final = 4

JobSettings = Mapping[str, object]


class Job(Struct, frozen=True):
    """A job that exists, and the requests that trigger it."""

    id: str
    key: str

    def trigger(self, payload: bytes = PAYLOAD, headers: Mapping[str, str] | None = None) -> bytes:
        return self._post("trigger", b'{"payload":%b}' % payload, headers or {})

    def triggers(self, headers: Mapping[str, str] | None = None) -> Iterator[bytes]:
        return repeat(self.trigger(headers=headers))

    def bulk(self, size: int, concurrency_keys: Sequence[str] = ()) -> bytes:
        """Trigger `size` runs, the concurrency keys taking turns."""
        keys = [b',"concurrency_key":"%b"' % key.encode() for key in concurrency_keys] or [b""]
        items = (b'{"payload":%b%b}' % (PAYLOAD, keys[at % len(keys)]) for at in range(size))
        return self._post("trigger/bulk", b'{"items":[%b]}' % b",".join(items), {})

    def _post(self, action: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        path = f"/v1/jobs/{self.id}/{action}"
        return post(path, body, {"Authorization": f"Bearer {self.key}", **headers})


class Strait:
    """One API process and at most one worker process on one database."""

    def __init__(self, dsn: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.dsn: Final = dsn
        self.port: Final = free_port()
        self._folder = folder
        own = {"DATABASE_URL": dsn, "DATA_DIR": str(folder)}
        self._settings = {**SETTINGS, **_CREDENTIALS, **settings, **own}
        self._slugs = count()
        self.api: Program | None = None
        self.worker: Program | None = None

    async def start_api(self) -> None:
        self.api = self._start("api", {"PORT": str(self.port)})
        await self._until(self.api, self._answers)

    async def start_worker(self) -> None:
        """Return when the worker has said that it lives."""
        self.worker = self._start("worker", {"PORT": "0"})
        await self._until(self.worker, self._has_worker)

    async def stop(self) -> None:
        await self.stop_worker()
        if self.api is not None:
            await self.api.stop()
            self.api = None

    async def stop_worker(self) -> None:
        if self.worker is not None:
            await self.worker.stop()
            self.worker = None

    def check(self) -> None:
        """Raise if a process of ours has ended by itself."""
        for program in (self.api, self.worker):
            if program is not None:
                program.check()

    def last_words(self) -> str:
        """Answer the end of what our processes wrote."""
        programs = (self.api, self.worker)
        return "\n".join(filter(None, (one.last_words() for one in programs if one is not None)))

    async def job(self, endpoint_url: str, settings: JobSettings | None = None) -> Job:
        """Create a job in the one project, and a key that may trigger it.

        Raises if it is not as wished: the API ignores fields it does not know,
        and what a field costs would be measured without it.
        """
        slug = f"job-{next(self._slugs)}"
        body = {"project_id": _PROJECT, "name": slug, "slug": slug, "endpoint_url": endpoint_url}
        wished = {**body, **(settings or {})}
        made = await self._ask("/v1/jobs", wished)
        if ignored := [name for name, value in wished.items() if made.get(name) != value]:
            raise LoadFailed(f"the job was made without {', '.join(ignored)}")
        key = await self._ask("/v1/api-keys", {"project_id": _PROJECT, "name": slug})
        return Job(id=made["id"], key=key["key"])

    async def fill(self, job: Job, size: int, concurrency_keys: Sequence[str] = ()) -> float:
        """Trigger many runs in bulk. Answers how many a second."""
        full, rest = divmod(size, PER_BULK)
        requests = [job.bulk(PER_BULK, concurrency_keys)] * full
        if rest:
            requests.append(job.bulk(rest, concurrency_keys))
        load = await closed_loop(self.port, iter(requests), connections=_FILL_CONNECTIONS)
        return size / load.seconds

    async def leases(self) -> int:
        """How many claimed batches are not recorded to the last run."""
        async with connection(self.dsn) as raw:
            return int(await raw.fetchval("select count(*) from leases"))

    async def drained(self, *, seconds: float, beside: int = 0) -> None:
        """Wait until every run that can be claimed is finished and recorded.

        `beside` leases are of runs that never finish.
        """
        left = "select exists (select from queue) or (select count(*) from leases) > $1"
        async with connection(self.dsn) as raw:
            deadline = monotonic() + seconds
            while await raw.fetchval(left, beside):
                self.check()
                if monotonic() > deadline:
                    raise ProgramFailed(f"the queue was not empty after {seconds:g} seconds")
                await asyncio.sleep(_POLL_SECONDS)

    async def counts(self) -> Mapping[str, int]:
        """How many runs have each status."""
        async with connection(self.dsn) as raw:
            rows = await raw.fetch("select status, count(*) from runs group by status")
            return {row[0]: row[1] for row in rows}

    def _start(self, mode: str, settings: Mapping[str, str]) -> Program:
        return Program(
            [sys.executable, "-m", "strait_server", "serve", "--mode", mode],
            log=self._folder / f"{mode}.log",
            env={**self._settings, **settings, "MODE": mode},
            folder=self._folder,
        )

    async def _until(self, program: Program, condition: Any) -> None:
        deadline = monotonic() + _READY_SECONDS
        while not await condition():
            program.check()
            if monotonic() > deadline:
                raise ProgramFailed("the server was not ready in time")
            await asyncio.sleep(_POLL_SECONDS)

    async def _answers(self) -> bool:
        try:
            return (await ask(self.port, get("/health/ready"))).status == HTTPStatus.OK
        except (OSError, LoadFailed):
            return False

    async def _has_worker(self) -> bool:
        async with connection(self.dsn) as raw:
            return bool(
                await raw.fetchval("select exists (select from workers where alive_until > now())")
            )

    async def prepare(self) -> None:
        """Create the project."""
        await self._ask("/v1/projects", {"id": _PROJECT, "org_id": "bench", "name": "Bench"})

    async def _ask(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        headers = {"X-Internal-Secret": _SECRET, "X-Project-Id": _PROJECT}
        answer: Answer = await ask(self.port, post(path, msgspec.json.encode(body), headers))
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise LoadFailed(f"{path} answered {answer.status}: {answer.body.decode()}")
        decoded: dict[str, Any] = msgspec.json.decode(answer.body)
        return decoded


@asynccontextmanager
async def running(
    dsn: str, folder: Path, settings: Mapping[str, str], *, worker: bool
) -> AsyncGenerator[Strait]:
    """Start the product on an empty database, and stop it at the end."""
    strait = Strait(dsn, folder, settings)
    try:
        await strait.start_api()
        await strait.prepare()
        if worker:
            await strait.start_worker()
        yield strait
    except Exception as error:
        error.add_note(strait.last_words())
        raise
    finally:
        await strait.stop()
