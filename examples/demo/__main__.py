"""Start Strait, trigger jobs, show every move, bring a dead letter back to life."""

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from examples.demo.endpoint import Endpoint
from examples.demo.server import Server

DATA = Path(__file__).resolve().parents[2] / ".strait"
PROJECT = "demo"
FINAL = {
    "completed", "failed", "timed_out", "crashed", "system_failed", "canceled", "expired", "dead_letter",
}  # fmt: skip
COLOUR = {"completed": "green", "dead_letter": "red", "queued": "yellow", "executing": "cyan"}
DEADLINE_SECONDS = 40.0
say = Console(highlight=False)


@dataclass
class Story:
    """One run to be watched, and how it must end."""

    title: str
    job: dict[str, Any]
    payload: dict[str, Any]
    expected: str
    extra: dict[str, Any] = field(default_factory=dict)
    run_id: str = ""
    told: int = 0
    run: dict[str, Any] = field(default_factory=dict)


def stories(endpoint: str) -> list[Story]:
    retry = {"retry_strategy": "fixed", "max_attempts": 3}
    return [
        Story("greet", _job("greet", endpoint), {"name": "world"}, "completed"),
        Story("flaky", {**_job("flaky", endpoint), **retry}, {}, "completed"),
        Story("doomed", {**_job("doomed", endpoint), "max_attempts": 2}, {}, "dead_letter"),
        Story(
            "remind",
            _job("remind", endpoint),
            {"of": "tea"},
            "completed",
            {"scheduled_at": _in_seconds(3)},
        ),
    ]


def main() -> int:
    endpoint = Endpoint()
    server = Server(DATA)
    try:
        took = server.wait_until_ready()
        say.print(f"[bold]Strait[/] is up at {server.url} after {took:.1f} s (data in {DATA.name}/)")
        with _client(server) as api:
            return _tell(api, endpoint)
    except (RuntimeError, httpx.HTTPError) as problem:
        say.print(f"[red]the demo failed:[/] {problem}")
        return 1
    finally:
        server.stop()
        endpoint.close()


def _tell(api: httpx.Client, endpoint: Endpoint) -> int:
    told = stories(endpoint.url)
    for story in told:
        _create(api, story.job)
        answer = api.post(
            f"/v1/jobs/{story.job['slug']}/trigger", json={"payload": story.payload, **story.extra}
        )
        story.run_id = _ok(answer)["id"]
    say.print(f"triggered {len(told)} runs; every move as it happens:\n")
    _watch(api, told)
    doomed = next(story for story in told if story.title == "doomed")
    endpoint.healed = True
    say.print("\nthe doomed job's endpoint is repaired; replaying its dead letter:\n")
    _ok(api.post(f"/v1/runs/{doomed.run_id}/dlq-replay"))
    died, doomed.expected, doomed.run = doomed.run, "completed", {}
    _watch(api, [doomed])
    say.print()
    say.print(_summary(told))
    if died.get("status") != "dead_letter":
        say.print("[red]doomed should have become a dead letter first[/]")
        return 1
    wrong = [story for story in told if story.run["status"] != story.expected]
    for story in wrong:
        say.print(f"[red]{story.title} is {story.run['status']}, not {story.expected}[/]")
    return 1 if wrong else 0


def _watch(api: httpx.Client, watched: list[Story]) -> None:
    """Print each move of each run once, until all have ended."""
    began = time.monotonic()
    while time.monotonic() - began < DEADLINE_SECONDS:
        for story in watched:
            if story.run.get("status") in FINAL:
                continue
            run = _ok(api.get(f"/v1/runs/{story.run_id}"))
            events = _ok(api.get(f"/v1/runs/{story.run_id}/events", params={"type": "state_change"}))
            for event in events["data"][story.told :]:
                _print_move(story, event)
            story.told, story.run = len(events["data"]), run
        if all(story.run.get("status") in FINAL for story in watched):
            return
        time.sleep(0.1)
    raise RuntimeError(f"runs did not end within {DEADLINE_SECONDS:.0f} s")


def _print_move(story: Story, event: dict[str, Any]) -> None:
    target = event["data"]["to"]
    colour = COLOUR.get(target, "white")
    say.print(
        f"  {event['created_at'][11:23]}  {story.title:8} {event['data'].get('from') or '·':>10} → "
        f"[{colour}]{target}[/]"
    )


def _summary(told: list[Story]) -> Table:
    table = Table("job", "run", "status", "attempts", "result", title="what became of them")
    for story in told:
        run = story.run
        table.add_row(
            story.title,
            f"…{story.run_id[-8:]}",
            run["status"],
            str(run["attempt"]),
            json.dumps(run["result"]) if "result" in run else run.get("error", ""),
        )
    return table


def _create(api: httpx.Client, job: dict[str, Any]) -> None:
    answer = api.post("/v1/jobs", json=job)
    if answer.status_code == 409:  # an earlier demo made it, for another port
        answer = api.patch(f"/v1/jobs/{job['slug']}", json=job)
    _ok(answer)


def _client(server: Server) -> httpx.Client:
    """Make the project and a key with the internal secret, and speak with the key from then on."""
    with httpx.Client(base_url=server.url, headers={"X-Internal-Secret": server.secret}) as admin:
        _ok(admin.post("/v1/projects", json={"id": PROJECT, "org_id": "demo", "name": "Demo"}))
        key = _ok(
            admin.post("/v1/api-keys", json={"project_id": PROJECT, "name": "demo", "scopes": ["*"]})
        )["key"]
    return httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def _ok(answer: httpx.Response) -> Any:
    if answer.is_error:
        request = answer.request
        raise RuntimeError(f"{request.method} {request.url.path}: {answer.status_code} {answer.text}")
    return answer.json()


def _job(name: str, endpoint: str) -> dict[str, Any]:
    return {"name": name.title(), "slug": name, "endpoint_url": f"{endpoint}/{name}", "timeout_secs": 10}


def _in_seconds(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


if __name__ == "__main__":
    sys.exit(main())
