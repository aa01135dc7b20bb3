"""celery on redis: 16 threads, prefetch of 200, no results, gossip, mingle or heartbeat.

The worker is started by celery's own command.
"""

import task
from celery import Celery

app = Celery("bench", broker=task.REDIS_URL)
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=200,
    worker_disable_rate_limits=True,
    broker_pool_limit=32,
    broker_connection_retry_on_startup=True,
)


@app.task(name="job")
def job(payload):
    task.post_blocking(payload)


if __name__ == "__main__":
    for _ in range(task.count()):
        job.delay(task.PAYLOAD)
