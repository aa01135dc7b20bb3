"""procrastinate: 32 at a time, a pool of 8 to 20, finished jobs deleted, uvloop."""

import procrastinate
import task
import uvloop

PER_STATEMENT = 1000

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=task.DATABASE_URL, min_size=8, max_size=20)
)


@app.task(name="job")
async def job(payload):
    await task.post(payload)


async def prepare():
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def fill():
    async with app.open_async():
        for start in range(0, task.count(), PER_STATEMENT):
            size = min(PER_STATEMENT, task.count() - start)
            await job.batch_defer_async(*[{"payload": task.PAYLOAD}] * size)


async def work():
    async with app.open_async():
        await app.run_worker_async(
            concurrency=32,
            delete_jobs="always",
            listen_notify=False,
            fetch_job_polling_interval=0.1,
        )


uvloop.run({"prepare": prepare, "fill": fill, "work": work}[task.verb()]())
