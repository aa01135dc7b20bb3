"""dramatiq on redis: one process of 16 threads. Its own command starts the worker."""

import dramatiq
import task
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=task.REDIS_URL))


@dramatiq.actor(max_retries=0)
def job(payload):
    task.post_blocking(payload)


if __name__ == "__main__":
    for _ in range(task.count()):
        job.send(task.PAYLOAD)
