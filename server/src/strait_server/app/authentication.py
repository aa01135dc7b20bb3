"""Who is asking: credentials, in the order in which they count (api 2, behaviour 13.1).

A bearer that looks like an API key is one, whatever else was sent. Any other
is the internal secret or nothing; both forms of the secret are compared in
constant time, and an address that guesses wrong is soon not listened to (T118f).
Run tokens speak below `/sdk/v1` only.

The same function serves both doors: the guard below asks it for Litestar, the
express lane asks it directly.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from msgspec import Struct

from strait_server.base.clock import unix
from strait_server.base.crypto import keys
from strait_server.base.crypto.run_tokens import RunTokens
from strait_server.base.errors import Forbidden, Invalid, StraitError, Unauthorized
from strait_server.base.http.clients import counted_as
from strait_server.base.http.exchange import Exchange, exchange_of
from strait_server.base.http.guards import Credentials, credentials_of
from strait_server.base.http.limits import Limiter, Rate, too_many
from strait_server.tenancy.access.model import EVERYTHING, Actor, ActorType
from strait_server.tenancy.access.service.keyring import Keyring

_GUESSES: Final = Rate(requests=10, seconds=60.0)
_LONGEST_ID: Final = 64
_LONGEST_ACTOR_ID: Final = 255
_EVERY_SCOPE: Final = frozenset({EVERYTHING})
_SDK_CAPABILITIES: Final = b"progress,checkpoint,usage"


class Gate(Struct, frozen=True):
    """What recognises callers: the keys, the secret, the run tokens, and who asked how often."""

    keyring: Keyring
    tokens: RunTokens
    internal_secret: str
    limiter: Limiter

    async def identify(self, exchange: Exchange, query_string: bytes) -> Actor:
        """Tell who is asking, and count the request against their limit.

        Raises `Unauthorized` with the reason, or `LimitReached`.
        """
        bearer = _bearer(exchange)
        given = exchange.headers
        if bearer.startswith(keys.MARK):
            credential = await self.keyring.recognise(bearer)
            self.limiter.admit(exchange, credential.bucket, credential.rate)
            return credential.actor
        secret = bearer or given.get(b"x-internal-secret", b"").decode("latin-1")
        if not secret:
            raise Unauthorized("missing bearer token")
        self._check_secret(exchange, secret, said_as="bearer" if bearer else "header")
        return _internal(exchange, query_string)

    def identify_run(self, exchange: Exchange, path: Mapping[str, Any]) -> Actor:
        """Tell for which run the caller speaks: the one in the path and no other.

        Whether the run is still going, and on the attempt of the token, is for
        the room of runs to say (behaviour 13.4).
        """
        version = exchange.headers.get(b"x-sdk-version", b"")
        exchange.extra += (
            (b"x-sdk-version-accepted", version[:_LONGEST_ID] or b"legacy"),
            (b"x-sdk-capabilities", _SDK_CAPABILITIES if _major(version) > 1 else b"none"),
        )
        bearer = _bearer(exchange)
        if not bearer:
            raise Unauthorized("missing or invalid authorization header")
        claims = self.tokens.verify(bearer, now=unix())
        if str(path.get("run_id", claims.run_id)).lower() != str(claims.run_id):
            raise Forbidden("token does not match run ID")
        return Actor(
            id=f"run:{claims.run_id}",
            type=ActorType.RUN,
            project_id=claims.project_id,
            run_id=claims.run_id,
            attempt=claims.attempt,
        )

    def _check_secret(self, exchange: Exchange, secret: str, *, said_as: str) -> None:
        guesser = f"guesses {counted_as(exchange.address)}"
        standing = self.limiter.look(guesser, _GUESSES)
        if standing.remaining <= 0:
            raise too_many(standing)
        if not keys.is_same(secret, self.internal_secret):
            self.limiter.count(guesser, _GUESSES)
            if said_as == "bearer":
                raise Unauthorized("invalid bearer token")
            raise Unauthorized("invalid or missing internal secret")


class Authentication:
    """The guard of all Litestar routes: each asks for what its path or its options say."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        exchange = exchange_of(connection.scope)
        query_string = connection.scope["query_string"]
        match credentials_of(handler, connection.scope["path"]):
            case Credentials.NONE:
                return
            case Credentials.RUN:
                exchange.actor = self._gate.identify_run(exchange, connection.path_params)
            case Credentials.CALLER:
                exchange.actor = await self._gate.identify(exchange, query_string)
            case Credentials.OPTIONAL:
                try:
                    exchange.actor = await self._gate.identify(exchange, query_string)
                except StraitError as refusal:
                    exchange.refusal = refusal


def _bearer(exchange: Exchange) -> str:
    scheme, _, token = exchange.headers.get(b"authorization", b"").partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""


def _parameter(query_string: bytes, name: str) -> str:
    return parse_qs(query_string.decode("latin-1")).get(name, [""])[-1]


def _internal(exchange: Exchange, query_string: bytes) -> Actor:
    """Our own service, in the project and on behalf of whom it says."""
    given = exchange.headers
    project_id = given.get(b"x-project-id", b"").decode("latin-1").strip()
    if not project_id and b"project_id" in query_string:
        project_id = _parameter(query_string, "project_id")
    if len(project_id) > _LONGEST_ID or "/" in project_id or ".." in project_id:
        raise Invalid("invalid project id")
    actor_id = given.get(b"x-actor-id", b"").decode("latin-1").strip()[:_LONGEST_ACTOR_ID]
    return Actor(
        id=actor_id or "internal",
        type=ActorType.INTERNAL,
        project_id=project_id or None,
        scopes=_EVERY_SCOPE,
    )


def _major(version: bytes) -> int:
    number = version.lstrip(b"v").partition(b".")[0]
    return int(number) if number.isdigit() and len(number) < len(b"10000") else 0
