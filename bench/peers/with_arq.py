"""arq on redis: 200 jobs at a time, polled every 20 ms, no results kept, uvloop.

Its own command starts the worker from `Worker`.
"""

import asyncio

import task
import uvloop
from arq import create_pool
from arq.connections import RedisSettings

CALLERS = 16


async def job(_context, payload):
    await task.post(payload)


class Worker:
    functions = [job]
    redis_settings = RedisSettings.from_dsn(task.REDIS_URL)
    max_jobs = 200
    poll_delay = 0.02
    queue_read_limit = 1000
    keep_result = 0


async def fill():
    pool = await create_pool(Worker.redis_settings)
    turns = iter(range(task.count()))

    async def call():
        for _ in turns:
            await pool.enqueue_job("job", task.PAYLOAD)

    await asyncio.gather(*(call() for _ in range(CALLERS)))


if __name__ == "__main__":
    uvloop.run(fill())
else:
    uvloop.install()
