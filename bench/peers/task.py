"""The task that every contender on Python performs: POST the payload to the endpoint.

Runs inside the contender's own environment, so it knows only what is there:
one keep-alive client per event loop or per thread, and nothing else. Progress
is counted by the endpoint.
"""

import json
import os
import sys
import threading

URL = os.environ["ENDPOINT_URL"]
DATABASE_URL = os.environ["DATABASE_URL"]
REDIS_URL = os.environ.get("REDIS_URL", "")
PAYLOAD = json.loads(os.environ["PAYLOAD"])
_HEADERS = {"content-type": "application/json"}

_thread = threading.local()
_session = None


def verb():
    """Answer what this process is asked to do: prepare, fill, or work."""
    return sys.argv[1]


def count():
    """Answer how many jobs to bring in, or to take at once."""
    return int(sys.argv[2])


async def post(payload):
    """For contenders with an event loop."""
    import aiohttp  # not in every environment

    global _session
    if _session is None:
        _session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    async with _session.post(URL, data=json.dumps(payload), headers=_HEADERS) as answer:
        await answer.read()
        answer.raise_for_status()


def post_blocking(payload):
    """For contenders with threads or processes."""
    import urllib3  # not in every environment

    if not hasattr(_thread, "pool"):
        _thread.pool = urllib3.PoolManager()
    answer = _thread.pool.request("POST", URL, body=json.dumps(payload), headers=_HEADERS)
    if answer.status != 200:
        raise RuntimeError(f"the endpoint answered {answer.status}")
