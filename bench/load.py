"""Requests in bulk: closed loops, Poisson arrivals, and single questions.

A raw protocol instead of a client library: the load must not become the
bottleneck of what it measures (about 15 µs of CPU per request). It sends
requests that are built beforehand and reads answers that carry a
`Content-Length`, which is what the servers under test send.
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import Final, NamedTuple, cast

from msgspec import Struct

from strait_server.base.ids import uniform

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_CREATED_OR_OK: Final = (200, 201, 202)
_NOT_UNDERSTOOD: Final = 0
_ANSWER_SECONDS: Final = 60.0


class LoadFailed(Exception):
    """The server refused, broke off or said what it must not say."""


class Answer(NamedTuple):
    status: int
    body: bytes


class Load(Struct):
    """What a load was answered, in seconds per request."""

    seconds: float = 0.0
    latencies: list[float] = []

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Answer the latency that `share` of the requests stayed within, in milliseconds."""
        return percentile(self.latencies, share)


class Wire(asyncio.Protocol):
    """One keep-alive connection with one request under way at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._heard: Callable[[Answer | None], None] | None = None
        self._rest = b""

    def send(self, request: bytes, heard: Callable[[Answer | None], None]) -> None:
        """`heard` gets the answer, or None when the connection was lost."""
        self._heard = heard
        if self._transport is None:
            self._tell(None)
        else:
            self._transport.write(request)

    async def ask(self, request: bytes) -> Answer:
        future: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

        def heard(answer: Answer | None) -> None:
            if not future.done():
                future.set_result(answer)

        self.send(request, heard)
        answer = await asyncio.wait_for(future, _ANSWER_SECONDS)
        if answer is None:
            raise LoadFailed("the server closed the connection")
        return answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._tell(None)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        end = data.find(_HEAD_END)
        if end < 0:
            self._rest = data
            return
        head = data[:end].lower()
        at = head.find(_LENGTH)
        if at < 0:
            self._tell(Answer(_NOT_UNDERSTOOD, head))
            return
        line_end = head.find(b"\r", at)
        length = int(head[at + len(_LENGTH) : line_end if line_end > 0 else None])
        begin = end + len(_HEAD_END)
        if len(data) < begin + length:
            self._rest = data
            return
        self._rest = b""
        self._tell(Answer(int(head[9:12]), data[begin : begin + length]))

    def _tell(self, answer: Answer | None) -> None:
        heard, self._heard = self._heard, None
        if heard is not None:
            heard(answer)


async def wire(port: int) -> Wire:
    _, protocol = await asyncio.get_running_loop().create_connection(Wire, "127.0.0.1", port)
    return protocol


async def ask(port: int, request: bytes) -> Answer:
    """Ask one question on a connection of its own."""
    line = await wire(port)
    try:
        return await line.ask(request)
    finally:
        line.close()


async def closed_loop(
    port: int, requests: Iterator[bytes], *, connections: int, seconds: float = math.inf
) -> Load:
    """Keep `connections` requests under way until time or requests are up.

    Any answer but 2xx ends it: a rate of refusals is no rate.
    """
    load = Load()
    lines = [await wire(port) for _ in range(connections)]
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    began = perf_counter()
    busy = connections

    def turn(line: Wire) -> None:
        request = next(requests, None) if perf_counter() - began < seconds else None
        if request is None or ended.done():
            retire()
            return
        sent = perf_counter()

        def heard(answer: Answer | None) -> None:
            if answer is None or answer.status not in _CREATED_OR_OK:
                if not ended.done():
                    ended.set_exception(LoadFailed(f"answered {answer}"))
                return
            load.latencies.append(perf_counter() - sent)
            turn(line)

        line.send(request, heard)

    def retire() -> None:
        nonlocal busy
        busy -= 1
        if busy == 0 and not ended.done():
            ended.set_result(None)

    try:
        for line in lines:
            turn(line)
        await ended
        load.seconds = perf_counter() - began
    finally:
        for line in lines:
            line.close()
    return load


async def poisson(port: int, build: Callable[[int], bytes], *, rate: float, seconds: float) -> Load:
    """Send requests at random moments, `rate` a second on average, whatever is answered when.

    `build` makes the request of a number in the moment it is sent.
    """
    load = Load()
    idle: list[Wire] = []

    async def one(number: int) -> None:
        line = idle.pop() if idle else await wire(port)
        sent = perf_counter()
        answer = await line.ask(build(number))
        if answer.status not in _CREATED_OR_OK:
            raise LoadFailed(f"answered {answer}")
        load.latencies.append(perf_counter() - sent)
        idle.append(line)

    began = perf_counter()
    due, number = 0.0, 0
    async with asyncio.TaskGroup() as tasks:
        while due < seconds:
            due -= math.log(uniform(1e-12, 1.0)) / rate
            await asyncio.sleep(max(0.0, began + due - perf_counter()))
            tasks.create_task(one(number))
            number += 1
    load.seconds = perf_counter() - began
    for line in idle:
        line.close()
    return load


def get(path: str, headers: Mapping[str, str] | None = None) -> bytes:
    return _request("GET", path, headers or {}, b"")


def post(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    return _request("POST", path, {"Content-Type": "application/json", **headers}, body)


def percentile(values: list[float], share: float) -> float:
    """Of seconds, in milliseconds."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def _request(method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + _HEAD_END + body
