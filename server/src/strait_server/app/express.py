"""The express lane: hot routes answered before the framework sees them (design 5.1).

One ASGI layer in front of Litestar. It knows the faces that are mounted there
too, asks what their guards would ask, hands them the same request, and sends
their answer; whatever else comes in goes on to Litestar. A test sends the same
requests through both doors and compares the answers byte for byte.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from strait_server.app.authentication import Gate
from strait_server.base.http.exchange import (
    Answer,
    App,
    Exchange,
    Receive,
    Scope,
    Send,
    exchange_of,
    send_answer,
)
from strait_server.base.http.faces import Face, Request, admit, read_query
from strait_server.base.http.limits import AddressLimits
from strait_server.base.http.problems import render

_SDK: Final = "/sdk/"


class _Pattern(Struct, frozen=True):
    """A face's path, cut at the slashes; a parameter is None in `fixed`."""

    face: Face[Any]
    fixed: tuple[str | None, ...]
    names: tuple[tuple[int, str], ...]


class Express:
    """The ASGI layer. `context` is what the faces get."""

    def __init__(
        self,
        app: App,
        faces: Sequence[Face[Any]],
        *,
        context: object,
        gate: Gate,
        limits: AddressLimits,
    ) -> None:
        self._app = app
        self._context = context
        self._gate = gate
        self._limits = limits
        self._patterns: dict[tuple[str, int], list[_Pattern]] = {}
        for face in faces:
            pattern = _pattern(face)
            self._patterns.setdefault((face.method, len(pattern.fixed)), []).append(pattern)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        face, path = found
        await send_answer(await self._answer(face, path, scope, receive), send)

    def _find(self, scope: Scope) -> tuple[Face[Any], dict[str, str]] | None:
        segments = scope["path"].rstrip("/").split("/")
        for pattern in self._patterns.get((scope["method"], len(segments)), ()):
            if all(
                segment if fixed is None else fixed == segment
                for fixed, segment in zip(pattern.fixed, segments, strict=True)
            ):
                return pattern.face, {name: segments[index] for index, name in pattern.names}
        return None

    async def _answer(
        self, face: Face[Any], path: dict[str, str], scope: Scope, receive: Receive
    ) -> Answer:
        exchange = exchange_of(scope)
        try:
            await self._identify(exchange, scope, path)
            admit(face, exchange, self._limits)
            body = await _body(receive)
            request = Request(
                exchange=exchange, path=path, query=read_query(scope["query_string"]), body=body
            )
            return await face.call(self._context, request)
        except Exception as error:  # noqa: BLE001 - the outermost frame of this door
            return render(error, exchange.request_id)

    async def _identify(self, exchange: Exchange, scope: Scope, path: dict[str, str]) -> None:
        if scope["path"].startswith(_SDK):
            exchange.actor = self._gate.identify_run(exchange, path)
        else:
            exchange.actor = await self._gate.identify(exchange, scope["query_string"])


async def _body(receive: Receive) -> bytes:
    message = await receive()
    parts: list[bytes] = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


def _pattern(face: Face[Any]) -> _Pattern:
    fixed: list[str | None] = []
    names: list[tuple[int, str]] = []
    for index, segment in enumerate(face.path.split("/")):
        if segment.startswith("{"):
            names.append((index, segment.strip("{}").partition(":")[0]))
            fixed.append(None)
        else:
            fixed.append(segment)
    return _Pattern(face, tuple(fixed), tuple(names))
