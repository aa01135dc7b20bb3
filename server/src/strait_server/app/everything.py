"""One process of Strait: the API, a worker, or both (design 6).

The first SIGINT or SIGTERM drains: the API takes no new connections, the
worker claims nothing more and finishes what it has sent, and what is known is
written. One that comes later ends the process at once. A child drains as well
when its supervisor has died: nobody could end it, and it would share its
successor's port.
"""

import asyncio
import ctypes
import errno
import gc
import math
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Final, Literal

import structlog

from strait_server.app.api import build
from strait_server.app.door import open_door
from strait_server.app.lifespan import Services, living
from strait_server.app.worker import working
from strait_server.base.clock import monotonic
from strait_server.base.errors import Invalid
from strait_server.base.settings import Mode, Settings

_GENERATIONS: Final = (50_000, 20, 50)
_LOOK_SECONDS: Final = 1.0
_SAME_SIGNAL_SECONDS: Final = 0.2
"""What stops a process and its group says it twice at once, as timeout(1) does: nobody's haste."""
_log = structlog.get_logger(__name__)


async def run(
    settings: Settings, listening: socket.socket | None, *, supervisor: int | None = None
) -> int:
    """Be a process until told to stop, with a socket one of the API. Answers the exit code.

    A child is given the process id of its `supervisor`.
    """
    stop = asyncio.Event()
    with _signals(stop):
        async with AsyncExitStack() as stack:
            services = await stack.enter_async_context(living(settings))
            if settings.mode in {Mode.ALL, Mode.WORKER}:
                await stack.enter_async_context(working(services))
            await stack.enter_async_context(hearing(services))
            if listening is not None:
                await stack.enter_async_context(answering(services, listening))
            _settle_down()
            _log.info("ready", mode=str(settings.mode), pid=os.getpid())
            reason = await _until_stopped(stop, services.broken, supervisor)
            services.metrics.shutdowns.add(1, reason)
            _log.info("stopping", reason=reason)
    _log.info("stopped")
    return 0 if reason == "signal" else 1


async def _until_stopped(stop: asyncio.Event, broken: asyncio.Event, supervisor: int | None) -> str:
    """Wait for a signal, or for the end of something the process cannot be without."""
    waits = {
        asyncio.create_task(stop.wait()): "signal",
        asyncio.create_task(broken.wait()): "broken",
    }
    if supervisor is not None:
        waits[asyncio.create_task(_orphaned_by(supervisor))] = "orphaned"
    done, waiting = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    return waits[done.pop()]


async def _orphaned_by(supervisor: int) -> Literal[True]:
    """Wait until the process that started us is not there any more."""
    while os.getppid() == supervisor:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(_LOOK_SECONDS)
    return True


@contextmanager
def holding(settings: Settings, *, shared: bool) -> Generator[socket.socket | None]:
    """Hold the address of the API as long as the block lasts; a mere worker has none.

    Nobody is answered yet. Raises `Invalid` when the address cannot be had. A
    shared one can be held by other processes of the same user as well.
    """
    if settings.mode is Mode.WORKER:
        yield None
        return
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listening.bind((settings.host, settings.port))
        except (OSError, UnicodeError) as error:
            raise Invalid(
                f"cannot listen on HOST {settings.host}, PORT {settings.port}: {_reason(error)}"
            ) from error
        listening.setblocking(False)  # noqa: FBT003 - that is its signature
        yield listening


@asynccontextmanager
async def answering(services: Services, listening: socket.socket) -> AsyncGenerator[None]:
    """Answer HTTP as long as the block lasts; on leaving, finish what was begun."""
    host, port = listening.getsockname()[:2]
    edge = build(services)
    try:
        async with open_door(edge, listening):
            _log.info("answering", host=host, port=port)
            yield
    finally:
        edge.close()


@asynccontextmanager
async def hearing(services: Services) -> AsyncGenerator[None]:
    """Hear what other processes say, after everybody has subscribed."""
    task = services.watch(services.listener.run(), name="listener")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _reason(error: OSError | UnicodeError) -> str:
    """Say why an address cannot be had, and what to do."""
    match error:
        case OSError(errno=errno.EADDRINUSE):
            return "the port is taken; end what listens there, or set another PORT"
        case OSError(errno=errno.EACCES):
            return "this user may not use the port; set a PORT above 1023"
        case socket.gaierror() | UnicodeError() | OSError(errno=errno.EADDRNOTAVAIL):
            return "the host is no address of this machine; set HOST to 127.0.0.1, or 0.0.0.0: all"
        case OSError():
            return f"{error.strerror}; set another HOST or PORT"


def _settle_down() -> None:
    """Tidy up after the start, and let the garbage collector leave the rest alone.

    What lives now lives as long as the process. Requests and runs leave no
    cycles behind; looking for them cost four per cent of the CPU. What the
    start needed and freed goes back to the system, where the allocator can.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GENERATIONS)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def _signals(stop: asyncio.Event) -> Generator[None]:
    loop = asyncio.get_running_loop()
    first = math.inf

    def heard() -> None:
        nonlocal first
        first = min(first, monotonic())
        if monotonic() - first >= _SAME_SIGNAL_SECONDS:
            _log.warning("second signal, ending at once")
            sys.stdout.flush()
            os._exit(1)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, heard)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
