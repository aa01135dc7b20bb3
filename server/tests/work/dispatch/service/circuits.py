"""What tests of circuits have in common: an endpoint, and workers that send there."""

import world

URL = "http://endpoint.example:80/work"


async def ask(worker, project_id=world.PROJECT, *, seconds=300.0):
    return await worker.admit(project_id, URL, probe_seconds=seconds)


async def fail(worker, times=1, project_id=world.PROJECT):
    for _ in range(times):
        worker.failed(project_id, URL)
    await worker.report()


async def succeed(worker, project_id=world.PROJECT):
    worker.succeeded(project_id, URL, seconds=0.0, timeout=10.0)
    await worker.report()
