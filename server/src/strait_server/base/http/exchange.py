"""One request and its answer, as the layers of the server know them."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, NamedTuple, Protocol

from msgspec import Struct, field

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_KEY: Final = "strait"


class Holder(Protocol):
    """Somebody who may do some things."""

    @property
    def id(self) -> str: ...

    @property
    def project_id(self) -> str | None: ...

    @property
    def is_internal(self) -> bool:
        """Whether they are one of our own services."""
        ...

    def may(self, scope: str) -> bool:
        """Whether they hold this scope, or all of them."""
        ...


class Standing(NamedTuple):
    """Where a caller stands with a rate limit: `remaining` of `limit`, for `resets_in` seconds."""

    limit: int
    remaining: int
    resets_in: float


class Exchange(Struct, kw_only=True):
    """One request on its way: what the edge found out, and what the layers below add.

    `headers` are those of the request, in lower case, the last of each name.
    `extra` goes into the answer, whoever gives it. `refusal` says why the
    credentials given were not taken, where none are needed.
    """

    request_id: str
    address: str
    secure: bool
    headers: Mapping[bytes, bytes]
    actor: Holder | None = None
    refusal: Exception | None = None
    standing: Standing | None = None
    extra: Headers = field(default_factory=list)


class Answer(NamedTuple):
    """What goes back, complete."""

    status: int
    headers: Headers
    body: bytes


def enter(scope: Scope, exchange: Exchange) -> None:
    """Make the exchange known to the layers below."""
    scope[_KEY] = exchange


def exchange_of(scope: Mapping[str, Any]) -> Exchange:
    exchange: Exchange = scope[_KEY]
    return exchange


async def send_answer(answer: Answer, send: Send) -> None:
    length = (b"content-length", b"%d" % len(answer.body))
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [*answer.headers, length],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})
