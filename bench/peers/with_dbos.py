"""dbos: a queue polled every 20 ms, 200 workflows at a time, a pool of 32."""

import asyncio
import os

import task
from dbos import DBOS

CALLERS = 16

DBOS(
    config={
        "name": "peer",
        "system_database_url": task.DATABASE_URL,
        "application_version": "bench",
        "sys_db_pool_size": 32,
        "log_level": "ERROR",
    }
)


@DBOS.workflow()
async def job(payload):
    await task.post(payload)


async def register():
    await DBOS.register_queue_async("bench", polling_interval_sec=0.02, worker_concurrency=200)


async def prepare():
    DBOS.launch()
    await register()
    os._exit(0)  # its threads would go on polling


async def fill():
    DBOS.launch()
    turns = iter(range(task.count()))

    async def call():
        for _ in turns:
            await DBOS.enqueue_workflow_async("bench", job, task.PAYLOAD)

    await asyncio.gather(*(call() for _ in range(CALLERS)))
    os._exit(0)  # its threads would begin to work


async def work():
    DBOS.launch()
    await register()
    await asyncio.Event().wait()


asyncio.run({"prepare": prepare, "fill": fill, "work": work}[task.verb()]())
