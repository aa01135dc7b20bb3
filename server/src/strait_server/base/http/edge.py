"""The edge: what happens to every request, whichever door it takes (api 1, behaviour 13.10).

One plain ASGI callable, and one small object per request that stands between
the server and the application: it counts what comes in and completes what goes
out. Nothing here waits, except for the application.

The deadline covers the time until the answer begins: only until then can it
become a 503. A stream may last.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from strait_server.base.clock import monotonic, now, unix
from strait_server.base.errors import Invalid, Unavailable
from strait_server.base.http import headers
from strait_server.base.http.bodies import check_size
from strait_server.base.http.clients import Proxies
from strait_server.base.http.exchange import (
    Answer,
    App,
    Exchange,
    Message,
    Receive,
    Scope,
    Send,
    enter,
    send_answer,
)
from strait_server.base.http.headers import Cors
from strait_server.base.http.limits import AddressLimits
from strait_server.base.http.params import without_array_marks
from strait_server.base.http.problems import Disconnected, render
from strait_server.base.ids import new_id
from strait_server.base.telemetry.access_log import Access, AccessLog, clean_agent
from strait_server.base.telemetry.metrics import HttpMetrics
from strait_server.base.telemetry.redaction import redact_query, redact_text

_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_SERVER_ERROR: Final = 500
_CLIENT_ERROR: Final = 400
_UNANSWERED: Final = 499  # the client or the server went away meanwhile


class Rules(Struct, frozen=True, kw_only=True):
    """What the edge is told by the settings. `body_limit` knows the paths that may send more."""

    timeout_seconds: float
    body_limit: Callable[[str], int]
    proxies: Proxies
    cors: Cors


class Edge:
    """The outermost ASGI application of the API."""

    def __init__(
        self,
        app: App,
        rules: Rules,
        *,
        metrics: HttpMetrics,
        limits: AddressLimits,
        access_log: AccessLog,
    ) -> None:
        self._app = app
        self._rules = rules
        self._metrics = metrics
        self._limits = limits
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = monotonic()
        passage = _Passage(self._open(scope), receive, send, head_only=scope["method"] == "HEAD")
        self._metrics.inflight.add(1)
        try:
            await self._pass(passage, scope)
        finally:
            self._metrics.inflight.add(-1)
            seconds = monotonic() - started
            status = passage.status or _UNANSWERED
            self._metrics.duration.observe((seconds,), str(status))
            if self._access_log.wants(level := _level_of(status)):
                self._access_log.note(_access(passage, scope, seconds, level))

    def close(self) -> None:
        """Write down the last requests. Nobody may come any more."""
        self._access_log.flush()

    def _open(self, scope: Scope) -> Exchange:
        """Find out about the request, before anything else happens to it."""
        given = dict(scope["headers"])
        peer = scope["client"][0] if scope.get("client") else ""
        proxies = self._rules.proxies
        wanted = given.get(b"x-request-id", b"")
        exchange = Exchange(
            request_id=wanted.decode() if _SANE_ID.fullmatch(wanted) else str(new_id()),
            address=proxies.client(peer, given.get(b"x-forwarded-for")),
            secure=scope.get("scheme") == "https"
            or (given.get(b"x-forwarded-proto") == b"https" and proxies.trusts(peer)),
            headers=given,
        )
        if (origin := given.get(b"origin")) is not None:
            exchange.extra += self._rules.cors.headers(origin)
        enter(scope, exchange)
        return exchange

    async def _pass(self, passage: "_Passage", scope: Scope) -> None:
        try:
            async with asyncio.timeout(self._rules.timeout_seconds) as deadline:
                passage.deadline = deadline
                if (answer := self._answer_early(passage, scope)) is not None:
                    await send_answer(answer, passage.send)
                else:
                    # HEAD is GET without the body (RFC 9110, 9.3.2), to everybody but us.
                    asked = {**scope, "method": "GET"} if passage.head_only else scope
                    await self._app(asked, passage.receive, passage.send)
        except Exception as error:
            if passage.status:  # too late to say so
                raise
            problem = Unavailable("the request took too long") if passage.is_late else error
            passage.deadline = None
            await send_answer(render(problem, passage.exchange.request_id), passage.send)

    def _answer_early(self, passage: "_Passage", scope: Scope) -> Answer | None:
        """Answer what needs no application, or raise what it must not see."""
        exchange, path = passage.exchange, scope["path"]
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in exchange.headers:
            return self._rules.cors.preflight()
        if "\0" in path or b"%00" in scope["query_string"]:
            raise Invalid("a path or a query cannot contain a NUL character")
        if b"=" in scope["query_string"]:
            scope["query_string"] = without_array_marks(scope["query_string"])
        passage.most = self._rules.body_limit(path)
        check_size(_announced(exchange), passage.most)
        if not path.startswith("/health"):
            self._limits.admit(exchange)
        return None


class _Passage:
    """One request between the server and the application. Status 0: nothing was written yet."""

    __slots__ = (
        "_complete",
        "_receive",
        "_send",
        "_size",
        "deadline",
        "exchange",
        "head_only",
        "most",
        "sent",
        "status",
    )

    def __init__(
        self, exchange: Exchange, receive: Receive, send: Send, *, head_only: bool
    ) -> None:
        self.exchange = exchange
        self.head_only = head_only
        self.deadline: asyncio.Timeout | None = None
        self.status = 0
        self.sent = 0
        self.most = 0
        self._receive = receive
        self._send = send
        self._size = 0
        self._complete = False

    @property
    def is_late(self) -> bool:
        return self.deadline is not None and self.deadline.expired()

    async def receive(self) -> Message:
        """Pass on what the client sends, up to the limit; also when it did not say how much."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            check_size(self._size, self.most)
            self._complete = not message.get("more_body", False)
        elif not self._complete:
            raise Disconnected
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", ())
            message["headers"] = headers.complete(given, self.exchange, now=unix())
            if self.deadline is not None and not self.is_late:
                self.deadline.reschedule(None)
        elif self.head_only:
            message["body"] = b""
        else:
            self.sent += len(message.get("body", b""))
        await self._send(message)


def _announced(exchange: Exchange) -> int:
    """How many bytes the client says it will send; 0 if it does not say."""
    length = exchange.headers.get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


def _access(passage: _Passage, scope: Scope, seconds: float, level: str) -> Access:
    exchange, query_string = passage.exchange, scope["query_string"]
    actor = exchange.actor
    return Access(
        time=now(),
        level=level,
        method=scope["method"],
        path=redact_text(scope["path"]),
        status=passage.status or _UNANSWERED,
        duration_ms=round(seconds * 1000, 2),
        bytes=passage.sent,
        remote_addr=exchange.address,
        user_agent=clean_agent(exchange.headers.get(b"user-agent", b"").decode("latin-1")),
        request_id=exchange.request_id,
        query=redact_query(query_string.decode("latin-1")) if query_string else "",
        content_length=_announced(exchange),
        actor_id=actor.id if actor else None,
        project_id=actor.project_id if actor else None,
    )


def _level_of(status: int) -> str:
    if status >= _SERVER_ERROR:
        return "error"
    return "warn" if status >= _CLIENT_ERROR else "info"
