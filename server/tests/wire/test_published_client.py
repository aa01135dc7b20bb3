"""The published client runs unchanged against the server (api 13, 16, 17; design 8 #4).

`strait-python` is installed as its users install it, in an environment of its
own, and asks a process of ours. The numbers are those of the conformance
checks in api 17; T94 is the walk over rows of one time.
"""

from collections.abc import Mapping, Sequence
from inspect import isawaitable
from uuid import UUID

import pytest
from wire.operations import COVERED, JOB, RUN, later_operations
from wire.scene import later

UNKNOWN_ROUTE = {"not found", "method not allowed"}
NOBODYS = str(UUID(int=7))


@pytest.fixture
async def operations(published):
    """Ask what the client can do. Answers the parameters by operation."""
    return (await published.do("operations")).value


@pytest.fixture
def call(published, scene):
    async def call(operation, *arguments, caller=None, **keywords):
        return await published.do(
            "call",
            caller or scene.owner,
            operation=operation,
            arguments=arguments,
            keywords=keywords,
        )

    return call


async def made(value):
    """Make what a call is about, wherever it stands in the arguments."""
    if isawaitable(value):
        return await value
    if isinstance(value, Mapping):
        return {name: await made(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [await made(one) for one in value]
    return value


@pytest.mark.parametrize("operation", COVERED)
async def test_an_operation_works(call, scene, operation):
    """Api 17 #1: the first answer is the right one, and has what the contract says."""
    use = COVERED[operation]
    arguments = await made(use.arguments(scene))
    keywords = {"query": use.query} if use.query else {}

    outcome = await call(operation, *arguments, caller=getattr(scene, use.caller), **keywords)

    assert outcome.message == ""
    assert outcome.statuses == [use.status]
    assert [key for key in use.keys.split() if key not in outcome.value] == []


async def test_no_operation_is_forgotten(operations):
    assert len(operations) == 240
    assert operations.keys() == COVERED.keys() | later_operations()
    assert not COVERED.keys() & later_operations()


async def test_what_comes_later_is_not_there_yet(call, scene, operations):
    """Whoever adds a route moves its operation to the table of what works."""
    await scene.delayed_run()
    there = []
    for operation in sorted(later_operations()):
        caller = scene.job_code if operation.startswith("sdk_runs.") else scene.owner
        arguments = [{} if name == "body" else NOBODYS for name in operations[operation]]
        outcome = await call(operation, *arguments, caller=caller)
        if outcome.text not in UNKNOWN_ROUTE:
            there.append((operation, outcome.message))

    assert there == []


@pytest.mark.parametrize(
    ("path", "body"), [("pause", {"reason": "a deploy"}), ("pause", None), ("resume", None)]
)
async def test_a_job_is_paused_and_resumed_with_and_without_a_body(published, scene, path, body):
    """Api 17 #2."""
    job = await scene.job()

    outcome = await published.do(
        "request", scene.owner, method="POST", path=f"/v1/jobs/{job}/{path}", body=body
    )

    assert outcome.message == ""
    assert outcome.value["paused"] is (path == "pause")


@pytest.mark.parametrize("operation", ["runs.replay", "runs.dlq_replay", "sdk_runs.heartbeat_run"])
async def test_operations_without_a_body_succeed(call, scene, operation):
    """Api 17 #2: there are no bytes, only the content type."""
    run = await {
        "runs.replay": scene.failed_run,
        "runs.dlq_replay": scene.dead_run,
        "sdk_runs.heartbeat_run": scene.executing_run,
    }[operation]()
    caller = scene.job_code if operation.startswith("sdk_runs.") else scene.owner

    assert (await call(operation, run, caller=caller)).message == ""


async def test_a_job_may_complete_without_a_result(call, scene):
    """Api 17 #2, 8."""
    run = await scene.executing_run()

    outcome = await call("sdk_runs.complete_run", run, None, caller=scene.job_code)

    assert outcome.message == ""
    assert outcome.value["status"] == "completed"


async def test_an_exception_says_what_the_server_said(call, scene):
    """Api 17 #3: malformed, unknown, forbidden, missing and conflicting."""
    job, run = await scene.job(slug="taken"), await scene.delayed_run()
    reader = {"base_url": scene.url, "api_key": (await scene.key_for("jobs:read"))["key"]}
    stranger = {"base_url": scene.url, "api_key": "strait_" + "0" * 64}
    taken = {"name": "A job", "slug": "taken", "endpoint_url": scene.endpoint.url("works")}

    said = [
        await call("jobs.create", {}),
        await call("jobs.list", query={"limit": "abc"}),
        await call("jobs.get", job, caller=stranger),
        await call("jobs.create", taken, caller=reader),
        await call("jobs.get", "nope"),
        await call("jobs.create", taken),
        await call("runs.dlq_replay", run),
    ]

    assert [(it.raised, it.status, it.text) for it in said] == [
        ("ApiError", 400, "validation failed"),
        ("ApiError", 400, "limit must be a positive integer"),
        ("UnauthorizedError", 401, "invalid api key"),
        ("UnauthorizedError", 403, "insufficient permissions: requires jobs:write"),
        ("NotFoundError", 404, "job not found"),
        ("ConflictError", 409, 'job with slug "taken" already exists: job slug conflict'),
        ("ConflictError", 409, "run is not dead_letter"),
    ]


async def test_a_result_that_was_not_promised_is_refused(call, scene):
    """Api 3.3: the run stays open, and may complete with another."""
    promise = {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "integer"}}}
    run = await scene.run(await scene.job(scene.holds, result_schema=promise))
    await scene.reached("executing", run)

    wrong = await call("sdk_runs.complete_run", run, {"result": {}}, caller=scene.job_code)
    right = await call("sdk_runs.complete_run", run, {"result": {"rows": 7}}, caller=scene.job_code)

    assert (wrong.status, wrong.body["code"]) == (422, "result_schema_validation_failed")
    assert right.value["status"] == "completed"


async def test_the_whole_envelope_reaches_the_caller(call):
    """Api 3.1, 16.4."""
    outcome = await call("jobs.create", {})

    assert set(outcome.body) == {"error", "code", "message", "details", "request_id"}
    assert outcome.body["error"] == outcome.body["message"] == outcome.text
    assert outcome.body["code"] == "validation_error"
    assert {"name: failed on 'required'", "slug: failed on 'required'"} <= {
        *outcome.body["details"]
    }


async def test_a_limit_is_told_as_such(call, scene):
    """Api 17 #3: 429, which the client tries three times."""
    await scene.ask(f"/v1/projects/{scene.project}/quotas", {"max_queued_runs": 1}, method="PUT")
    job = await scene.job()
    await scene.run(job, scheduled_at=later(hours=1))

    outcome = await call("jobs.trigger", job, {"scheduled_at": later(hours=1)})

    assert (outcome.raised, outcome.statuses) == ("RateLimitedError", [429, 429, 429])
    assert outcome.text == "project queued quota exceeded"


@pytest.mark.parametrize(
    "operation",
    [
        "jobs.list",
        "runs.list",
        "runs.get_dlq",
        "secrets.list",
        "batch_operations.list",
    ],
)
async def test_an_empty_list_is_a_list(call, operation):
    """Api 17 #4."""
    assert (await call(operation)).value == {"data": [], "has_more": False}


async def test_an_empty_list_of_projects_is_a_list(call, scene):
    """Api 17 #4."""
    outcome = await call("projects.list", query={"org_id": "nobody"}, caller=scene.operator)

    assert outcome.value == []


async def test_a_walk_over_rows_of_one_time_loses_none(call, published, scene):
    """Api 17 #5, T94: 250 runs share a time, and 100 fit on a page."""
    batch = await scene.batch(250)
    everything = [run async for run in _runs(call)]
    assert len({run["created_at"] for run in everything}) == 1

    walked = await published.do("list_all", scene.owner, operation="runs.list", limit=100)

    assert walked.message == ""
    assert len(walked.statuses) == 3
    assert len(walked.value) == len(set(walked.value)) == 250
    assert {run["batch_id"] for run in everything} == {batch}
    assert walked.value == [run["id"] for run in everything]


async def _runs(call):
    """Every run of the project, seven at a time."""
    query = {"limit": "7"}
    while True:
        page = (await call("runs.list", query=query)).value
        for run in page["data"]:
            yield run
        if not page["has_more"]:
            return
        query["cursor"] = page["next_cursor"]


async def test_a_job_can_be_defined_with_everything_there_is(published, scene):
    """Api 17 #6: also with what this server keeps for later."""
    url = scene.endpoint.url("works")
    options = {
        "name": "Resize",
        "slug": "resize",
        "endpoint_url": url,
        "project_id": scene.project,
        "description": "Makes images smaller",
        "group_id": "images",
        "tags": {"team": "media"},
        "environment_id": "production",
        "cron": "0 * * * *",
        "timezone": "Europe/Vienna",
        "execution_window_cron": "* * * * *",
        "max_concurrency": 5,
        "rate_limit_max": 100,
        "rate_limit_window_secs": 60,
        "max_attempts": 4,
        "retry_strategy": "custom",
        "retry_delays_secs": [1, 5, 25],
        "timeout_secs": 120,
        "run_ttl_secs": 3600,
        "dedup_window_secs": 10,
        "webhook_url": url,
        "webhook_secret": "s3cret",
        "fallback_endpoint_url": url,
    }
    trigger = {
        "payload": {"image": 1},
        "idempotency_key": "image-1",
        "priority": 3,
        "metadata": {"source": "upload"},
        "scheduled_at": later(hours=1),
    }
    items = [{**trigger, "idempotency_key": key} for key in ("image-1", "image-2")]

    outcome = await published.do(
        "author", scene.owner, options=options, triggers=[trigger, trigger], batch=items
    )

    assert outcome.message == ""
    registered, batch = outcome.value["registered"], outcome.value["batch"]
    assert set(JOB.split()) <= set(registered)
    kept = options.keys() & registered.keys()
    assert {name: registered[name] for name in kept} == {name: options[name] for name in kept}
    assert "webhook_secret" not in registered
    first, second = outcome.value["triggered"]
    assert (first["idempotency_hit"], second["idempotency_hit"]) == (False, True)
    assert [it["idempotency_hit"] for it in batch["results"]] == [True, False]
    assert first["id"] == second["id"] == batch["results"][0]["id"]


async def test_a_dry_run_makes_nothing(call, scene):
    job = await scene.job()

    planned = await call("jobs.trigger", job, {"payload": {"n": 1}, "dry_run": True})
    in_bulk = await call("jobs.bulk_trigger", job, {"items": [{"dry_run": True}]})

    assert {"job", "payload_hash", "expires_at"} <= set(planned.value)
    assert in_bulk.status == 400
    assert (await call("runs.list")).value["data"] == []


async def test_an_agent_is_a_job(published, scene):
    options = {"name": "An agent", "slug": "agent", "endpoint_url": scene.endpoint.url("works")}

    outcome = await published.do(
        "author_agent", scene.owner, options={**options, "project_id": scene.project}
    )

    assert outcome.message == ""
    assert outcome.value["tags"] == {"strait.kind": "agent"}


async def test_an_idempotency_key_among_the_default_headers_is_honoured(published, scene):
    """Api 17 #15."""
    job = await scene.job()

    outcome = await published.do("with_key", scene.owner, key="once", job_id=job, times=2)

    first, second = outcome.value
    assert (first["idempotency_hit"], second["idempotency_hit"]) == (False, True)
    assert first["id"] == second["id"]


async def test_job_code_reports_and_completes(call, published, scene):
    """Api 17 #8: progress without a message, a critical line, and a result."""
    run = await scene.executing_run()

    outcome = await published.do(
        "run_job_code", scene.job_code, run_id=run, percent=40, result={"ok": True}
    )

    assert outcome.message == ""
    ended = (await call("runs.get", run)).value
    told = (await call("runs.list_events", run)).value["data"]
    assert (ended["status"], ended["result"]) == ("completed", {"ok": True})
    reported = [(it["type"], it.get("level"), it["message"]) for it in told]
    assert ("progress", "info", "") in reported
    assert ("log", "critical", "a critical line") in reported


@pytest.mark.parametrize(("path", "status"), [("works", "completed"), ("fails", "dead_letter")])
async def test_waiting_for_a_run_ends_when_it_does(published, scene, path, status):
    """Api 17 #10: a dead letter will not move by itself."""
    job = await scene.job(path, max_attempts=1)

    outcome = await published.do(
        "trigger_then_wait", scene.owner, job_id=job, body={"payload": {}}, timeout_ms=20_000
    )

    assert outcome.message == ""
    assert outcome.value["status"] == status
    assert set(RUN.split()) <= set(outcome.value)


async def test_the_internal_secret_as_a_bearer_creates_and_lists_projects(call, scene):
    """Api 17 #13."""
    new = {"id": f"{scene.project}-2", "org_id": scene.project, "name": "Another"}

    created = await call("projects.create", new, caller=scene.operator)
    listed = await call("projects.list", query={"org_id": scene.project}, caller=scene.operator)

    assert created.value["id"] == new["id"]
    assert [project["id"] for project in listed.value] == [new["id"]]


async def test_the_internal_secret_as_a_bearer_acts_in_the_project_it_names(call, scene):
    """Api 13.1: default headers reach every call."""
    caller = {**scene.operator, "default_headers": {"X-Project-Id": scene.project}}

    created = await call("secrets.create", {"key": "TOKEN", "value": "v"}, caller=caller)

    assert created.value["project_id"] == scene.project


async def test_240_calls_in_a_row_meet_no_limit(call):
    """Api 17 #14."""
    statuses = [status for _ in range(240) for status in (await call("jobs.list")).statuses]

    assert statuses == [200] * 240
