"""Reading the URL of an endpoint, and refusing it (behaviour 3.8, api 11.5). Pure.

Only what this module read is ever used: the same parts that were checked are
the ones that are resolved, dialled and sent. What a lenient parser would
guess or map (userinfo, junk around brackets, IDNA look-alikes) is refused.
"""

import re
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import quote, urlsplit

from msgspec import Struct

from strait_server.base.errors import Invalid
from strait_server.base.outbound.addresses import is_blocked, is_blocked_name, literal

WEBHOOK_PORTS: Final = frozenset({80, 443, 3000, 4000, 5000, 8080, 8443, 9000})

_MAX_URL: Final = 2048
_MAX_HOST: Final = 253
_MAX_PORT: Final = 65535
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[^\[\]:%]*)(:(?P<port>[0-9]{0,5}))?")
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_PATH_SAFE: Final = "/%:@!$&'()*+,;=-._~"
_QUERY_SAFE: Final = _PATH_SAFE + "?[]"


class EndpointPolicy(Struct, frozen=True, kw_only=True):
    """What a kind of URL must obey."""

    allow_private: bool = False
    """Any host, any address: for development only."""
    require_tls: bool = False
    ports: frozenset[int] | None = None
    """The ports that may be written; None allows all."""


class Origin(Struct, frozen=True):
    """Whom we talk to. Connections are shared within one origin, never beyond.

    The policy is a part of it, so that a connection that was opened under a
    lenient policy is never lent to a strict one.
    """

    scheme: str
    host: str
    port: int
    allow_private: bool

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Target(Struct, frozen=True):
    """A checked URL, ready to be sent to."""

    origin: Origin
    head: bytes
    """The request line behind the method, and the Host header."""

    def __repr__(self) -> str:
        """Leave out the path: it may hold a secret."""
        return f"Target({self.origin})"


def parse(url: str, policy: EndpointPolicy, *, field: str = "url") -> Target:
    """Read and check a URL. Raises `Invalid` as `invalid <field>: <reason>`.

    What a name resolves to is checked later, by `Resolver`.
    """
    try:
        return _parse(url, policy)
    except _Refused as refusal:
        raise Invalid(f"invalid {field}: {refusal}") from None


class _Refused(Exception):
    """The reason, as it is told."""


def _parse(url: str, policy: EndpointPolicy) -> Target:
    if len(url) > _MAX_URL:
        raise _Refused(f"must be at most {_MAX_URL} characters")
    if _UNPRINTABLE.search(url):
        raise _Refused("must not contain spaces or control characters")
    try:
        parts = urlsplit(url)
    except ValueError:  # all it judges is what stands in the place of the host
        raise _Refused("host is not valid") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _Refused("must be an absolute http or https URL")
    if policy.require_tls and parts.scheme != "https":
        raise _Refused("https is required")
    host, written_port = _authority(parts.netloc)
    default_port = _DEFAULT_PORTS[parts.scheme]
    origin = Origin(
        scheme=parts.scheme,
        host=_checked_host(host, allow_private=policy.allow_private),
        port=_checked_port(written_port, policy.ports) if written_port else default_port,
        allow_private=policy.allow_private,
    )
    named = str(origin).removesuffix(f":{default_port}")
    line = _path_and_query(parts.path, parts.query)
    return Target(origin=origin, head=f" {line} HTTP/1.1\r\nHost: {named}\r\n".encode("ascii"))


def _path_and_query(path: str, query: str) -> str:
    try:
        line = quote(path, safe=_PATH_SAFE) or "/"
        return f"{line}?{quote(query, safe=_QUERY_SAFE)}" if query else line
    except UnicodeEncodeError:
        raise _Refused("must be valid text") from None


def _authority(text: str) -> tuple[str, str | None]:
    if not text:
        raise _Refused("host is missing")
    if "@" in text:
        raise _Refused("must not contain a user name or password")
    found = _AUTHORITY.fullmatch(text.lower())
    if found is None:
        raise _Refused("host is not valid")
    return found["host"], found["port"]


def _checked_port(text: str, allowed: frozenset[int] | None) -> int:
    port = int(text)
    if not 0 < port <= _MAX_PORT:
        raise _Refused("port is not valid")
    if allowed is not None and port not in allowed:
        raise _Refused(f"port {port} is not allowed")
    return port


def _checked_host(text: str, *, allow_private: bool) -> str:
    """Bring a host to its one spelling: lower case, ASCII, no dot at the end."""
    bracketed = text.startswith("[")
    host = text.strip("[]") if bracketed else _ascii(text).removesuffix(".")
    if not host:
        raise _Refused("host is missing")
    address = literal(host)
    if bracketed != isinstance(address, IPv6Address) or not (address or _NAME.fullmatch(host)):
        raise _Refused("host is not valid")
    blocked = is_blocked_name(host) if address is None else is_blocked(address)
    if blocked and not allow_private:
        raise _Refused("host is not allowed")
    return host if address is None else str(address)


def _ascii(host: str) -> str:
    """Write an international name in ASCII, if that changes nothing but the letters.

    Python's IDNA maps look-alikes (full-width digits, other dots, sharp s)
    to another name; then we and a browser could mean different hosts.
    """
    if len(host) > _MAX_HOST:
        raise _Refused("host is not valid")
    if host.isascii():
        return host
    try:
        name = host.encode("idna")
        same = name.decode("idna") == host
    except UnicodeError:
        same, name = False, b""
    if not same or len(name) > _MAX_HOST:
        raise _Refused("host is not valid")
    return name.decode("ascii").lower()
