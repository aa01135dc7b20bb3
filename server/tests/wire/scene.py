"""A server process, and projects in it with jobs and runs in whatever state a test is about."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

import httpx
import world
from journeys.endpoint import Endpoint, Visit
from journeys.stage import SECRET, Program, eventually

SOON = 20.0


class Server(NamedTuple):
    """A process of the product, and where it answers."""

    program: Program
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def complaints(self) -> list[dict[str, Any]]:
        """Tell what it logged that must not be, whatever was asked of it."""
        return [
            line
            for line in self.program.said()
            if line.get("level") == "error" and line["msg"] != "request"  # the access log
        ]


class Scene:
    """A project of its own, and somebody who may do everything in it."""

    def __init__(self, server: Server, endpoint: Endpoint):
        self.url = server.url
        self.endpoint = endpoint
        self.project = f"proj_{world.new_name()}"
        self.key = ""
        self.token = ""
        self.over = asyncio.Event()
        self.http = httpx.AsyncClient(base_url=server.url, timeout=15)

    async def __aenter__(self) -> Self:
        self.endpoint.play(self.holds, self._hold)
        self.http.headers["X-Internal-Secret"] = SECRET
        await self.ask("/v1/projects", {"id": self.project, "org_id": "org", "name": "A project"})
        key = {"project_id": self.project, "name": "A key", "scopes": ["*"]}
        self.key = (await self.ask("/v1/api-keys", key))["key"]
        self.http.headers["Authorization"] = f"Bearer {self.key}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.over.set()
        await self.http.aclose()

    @property
    def holds(self) -> str:
        """The path of an endpoint that does not answer before all is over."""
        return f"holds-{self.project}"

    @property
    def owner(self) -> dict[str, Any]:
        """The caller who may do everything here."""
        return {"base_url": self.url, "api_key": self.key}

    @property
    def operator(self) -> dict[str, Any]:
        """The caller with the internal secret, in the one form the client can send it."""
        return {"base_url": self.url, "bearer_token": SECRET}

    @property
    def job_code(self) -> dict[str, Any]:
        """The caller with the token of the run that was triggered last."""
        return {"base_url": self.url, "run_token": self.token}

    async def ask(self, path: str, body: object = None, *, method: str = "POST") -> Any:
        answer = await self.http.request(method, path, json={} if body is None else body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def job(self, path: str = "works", **settings: Any) -> str:
        """Create a job whose endpoint does what its path says. Answers its id."""
        slug = f"{path}-{world.new_name()}"
        job = {"name": "A job", "slug": slug, "endpoint_url": self.endpoint.url(path), **settings}
        return (await self.ask("/v1/jobs", job))["id"]

    async def run(self, job: str, **body: Any) -> str:
        """Trigger a run. Answers its id, and keeps its token."""
        triggered = await self.ask(f"/v1/jobs/{job}/trigger", body)
        self.token = triggered["run_token"]
        return triggered["id"]

    async def delayed_run(self, **body: Any) -> str:
        """Trigger a run that will wait for an hour."""
        return await self.run(await self.job(), scheduled_at=later(hours=1), **body)

    async def executing_run(self, **body: Any) -> str:
        """Trigger a run whose endpoint does not answer as long as the test lasts."""
        return await self.reached("executing", await self.run(await self.job(self.holds), **body))

    async def dead_run(self) -> str:
        """Trigger a run that fails once and has no attempts left."""
        job = await self.job("fails", max_attempts=1)
        return await self.reached("dead_letter", await self.run(job))

    async def failed_run(self) -> str:
        """Trigger a run that ends as its code says."""
        run = await self.executing_run()
        await self.http.post(
            f"/sdk/v1/runs/{run}/fail",
            json={"error": "it failed"},
            headers={"Authorization": f"Bearer {self.token}"},
        )
        return await self.reached("failed", run)

    async def batch(self, count: int = 3, **body: Any) -> str:
        """Trigger so many runs in bulk that will wait for an hour. Answers the batch's id."""
        items = [{"payload": {"n": n}, "scheduled_at": later(hours=1)} | body for n in range(count)]
        path = f"/v1/jobs/{await self.job()}/trigger/bulk"
        return (await self.ask(path, {"items": items}))["batch_id"]

    async def key_for(self, *scopes: str) -> dict[str, Any]:
        """Create another key that holds these scopes. Answers it with its key."""
        return await self.ask("/v1/api-keys", {"name": "Another", "scopes": scopes})

    async def other_key(self) -> str:
        """Create another key. Answers its id."""
        return (await self.key_for("*"))["id"]

    async def secret(self) -> str:
        return (await self.ask("/v1/secrets", {"secret_key": "TOKEN", "value": "s3cret"}))["id"]

    async def status(self, run: str) -> str:
        return (await self.ask(f"/v1/runs/{run}", method="GET"))["status"]

    async def reached(self, status: str, run: str) -> str:
        """Wait until the run has got there."""

        async def is_there() -> bool:
            return await self.status(run) == status

        await eventually(is_there, within=SOON, what=f"a run that is {status}")
        return run

    async def _hold(self, visit: Visit) -> None:
        await self.over.wait()
        visit.answer()


async def fails(visit: Visit) -> None:
    visit.answer(500, b'{"error":"the endpoint is broken"}')


def later(**much: float) -> str:
    return (datetime.now(UTC) + timedelta(**much)).isoformat()
