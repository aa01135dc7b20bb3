"""pgqueuer: batches of as many as it is told, an asyncpg pool, uvloop."""

import json

import asyncpg
import task
import uvloop
from pgqueuer import PgQueuer, Queries
from pgqueuer.db import AsyncpgDriver

PER_STATEMENT = 1000


async def prepare():
    await Queries(AsyncpgDriver(await asyncpg.connect(task.DATABASE_URL))).install()


async def fill():
    queue = Queries(AsyncpgDriver(await asyncpg.connect(task.DATABASE_URL)))
    body = json.dumps(task.PAYLOAD).encode()
    for start in range(0, task.count(), PER_STATEMENT):
        size = min(PER_STATEMENT, task.count() - start)
        await queue.enqueue(["job"] * size, [body] * size, [0] * size)


async def work():
    pool = await asyncpg.create_pool(task.DATABASE_URL, min_size=4, max_size=8)
    queuer = PgQueuer.from_asyncpg_pool(pool)

    @queuer.entrypoint("job")
    async def run(job):
        await task.post(json.loads(job.payload))

    await queuer.run(batch_size=task.count())


uvloop.run({"prepare": prepare, "fill": fill, "work": work}[task.verb()]())
