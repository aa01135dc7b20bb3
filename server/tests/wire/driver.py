"""The published client, as its users write it: does what it is told, and says what came of it.

Runs in the environment of the client and knows nothing of the tests but the
lines it reads: one JSON object each, with the name of a function below in
`do`. Each is answered by one line, with the value or with what was raised, and
with every request that was made on the way.
"""

import asyncio
import inspect
import json
import sys
from dataclasses import asdict

import strait
from strait.authoring import (
    AgentOptions,
    JobOptions,
    TriggerJobInput,
    create_run_context,
    define_agent,
    define_job,
)
from strait.composition import (
    PaginatedResponse,
    WaitForRunOptions,
    collect_all,
    paginate,
    trigger_and_wait,
    wait_for_run,
    with_idempotency,
)

clients = {}
exchanges = []


def operations():
    """Every public method of every service, `service.method`, and what it has to be given."""
    with strait.Client(base_url="http://127.0.0.1") as client:
        return {
            f"{service}.{name}": [
                it.name
                for it in inspect.signature(method).parameters.values()
                if it.default is it.empty
            ]
            for service, offered in vars(client).items()
            if not service.startswith("_")
            for name, method in inspect.getmembers(offered, inspect.ismethod)
            if not name.startswith("_")
        }


def call(client, *, operation, arguments=(), keywords=None):
    """Call a method of a service."""
    service, name = operation.split(".")
    found = getattr(getattr(client, service), name)(*arguments, **(keywords or {}))
    return list(found) if inspect.isgenerator(found) else found


def request(client, *, method, path, body=None):
    """Ask for something the client has no method for."""
    return client.do_request(method, path, body=body)


def list_all(client, *, operation, limit):
    """Walk a list to its end; answers the ids."""

    def page(query):
        wanted = {"limit": str(query.limit), "cursor": query.cursor}
        found = call(
            client,
            operation=operation,
            keywords={"query": {name: value for name, value in wanted.items() if value}},
        )
        return PaginatedResponse(
            data=found["data"],
            next_cursor=found.get("next_cursor", ""),
            has_more=found["has_more"],
        )

    return [row["id"] for row in collect_all(paginate(page, limit=limit))]


def author(client, *, options, triggers, batch):
    """Define a job, register it, trigger it so often, and then some in one go."""
    job = define_job(JobOptions(**options))
    dsl = _Authoring(client)
    return {
        "registered": job.register(dsl),
        "triggered": [job.trigger(dsl, TriggerJobInput(**one)) for one in triggers],
        "batch": job.batch_trigger(dsl, [TriggerJobInput(**one) for one in batch]),
    }


def author_agent(client, *, options):
    """Define an agent, which is a job, and register it."""
    return define_agent(AgentOptions(**options)).register(_Authoring(client))


def wait(client, *, run_id, timeout_ms):
    return wait_for_run(client.runs.get, _status, run_id, _soon(timeout_ms))


def trigger_then_wait(client, *, job_id, body, timeout_ms):
    return trigger_and_wait(
        lambda body: client.jobs.trigger(job_id, body),
        client.runs.get,
        lambda run: run["id"],
        _status,
        body,
        _soon(timeout_ms),
    )


def with_key(client, *, key, job_id, times):
    """Trigger a job again and again with the same default header."""
    headers = with_idempotency(client._config.default_headers, key)
    with strait.Client(
        base_url=client.base_url,
        auth=client._config.auth,
        default_headers=headers,
    ) as repeating:
        return [repeating.jobs.trigger(job_id, {"payload": {}}) for _ in range(times)]


def run_job_code(client, *, run_id, percent, result):
    """Do in the run what job code of this milestone can, and complete it."""

    async def work():
        async with strait.AsyncClient(
            base_url=client.base_url,
            auth=client._config.auth,
        ) as job_client:
            context = create_run_context(job_client.sdk_runs, run_id)
            await context.heartbeat()
            await context.report_progress(percent)
            context.logger.critical("a critical line")
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others)  # the logger does not wait for its lines
            await context.complete(result)

    asyncio.run(work())


class _Authoring:
    """What the authoring layer expects of a client, under its names."""

    def __init__(self, client):
        self.create_job = client.jobs.create
        self.trigger_job = client.jobs.trigger
        self.bulk_trigger_job = client.jobs.bulk_trigger
        self.get_run = client.runs.get


def _status(run):
    return run["status"]


def _soon(timeout_ms):
    return WaitForRunOptions(timeout_ms=timeout_ms, initial_delay_ms=20, max_delay_ms=200)


def _obey(line):
    """Do one thing, as the caller that the line names."""
    order = json.loads(line)
    do, caller = globals()[order.pop("do")], order.pop("caller")
    return do(_client(caller), **order) if caller else do(**order)


def _client(caller):
    known = json.dumps(caller)
    if known not in clients:
        told = strait.Middleware(on_response=lambda response: exchanges.append(asdict(response)))
        clients[known] = strait.Client(**caller, middleware=[told])
    return clients[known]


def main():
    for line in sys.stdin:
        exchanges.clear()
        try:
            answer = {"value": _obey(line)}
        except Exception as error:  # noqa: BLE001 - told to the test
            answer = {
                "raised": type(error).__name__,
                "text": str(error),
                "status": getattr(error, "status", None),
                "body": getattr(error, "body", None),
            }
        print(json.dumps({**answer, "exchanges": exchanges}), flush=True)  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()
