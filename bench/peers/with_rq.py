"""rq on redis: the worker that runs jobs in its own process instead of forking for each.

Its own command starts the worker, which imports `job` from here.
"""

import task
from redis import Redis
from rq import Queue

PER_CALL = 500


def job(payload):
    task.post_blocking(payload)


def fill():
    queue = Queue(connection=Redis.from_url(task.REDIS_URL))
    for start in range(0, task.count(), PER_CALL):
        size = min(PER_CALL, task.count() - start)
        call = Queue.prepare_data("with_rq.job", (task.PAYLOAD,), result_ttl=0)
        queue.enqueue_many([call] * size)


if __name__ == "__main__":
    fill()
