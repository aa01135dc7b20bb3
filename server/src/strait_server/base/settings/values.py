"""Texts of settings, in and out.

A reader turns a text into a value or raises `ValueError`, whose text is the
fix: it completes the sentence "… will not do; write …". `show` is the way
back, and masks hide what a terminal or a log must not see.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from types import MappingProxyType
from typing import Final, TypeVar
from urllib.parse import parse_qs, urlsplit

Reader = Callable[[str], object]
Network = IPv4Network | IPv6Network
E = TypeVar("E", bound=StrEnum)

_MICROSECONDS_BY_UNIT: Final = {
    "ns": 0.001,
    "us": 1.0,
    "µs": 1.0,
    "ms": 1e3,
    "s": 1e6,
    "m": 60e6,
    "h": 3600e6,
}
_DURATION_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_DURATION: Final = re.compile(rf"(?:{_DURATION_PART.pattern})+")
_TRUE: Final = frozenset({"true", "t", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "f", "0", "no", "off"})
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_KEY_BYTES: Final = 32
_KEY_FORMS: Final = "32 bytes: as 64 hex digits, as base64, or as 32 plain characters"


def text(given: str) -> str:
    return given


def at_least(length: int) -> Callable[[str], str]:
    def read(given: str) -> str:
        if len(given) < length:
            raise ValueError(f"at least {length} characters")
        return given

    return read


def flag(given: str) -> bool:
    word = given.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("true or false")
    return word in _TRUE


def whole(low: int, high: int) -> Callable[[str], int]:
    fix = f"a whole number from {low} to {high}"

    def read(given: str) -> int:
        if not re.fullmatch("[0-9]{1,18}", given) or not low <= int(given) <= high:
            raise ValueError(fix)
        return int(given)

    return read


def duration(given: str) -> timedelta:
    """Read a Go duration, `1h30m`, `500ms`, or `0`, to the microsecond."""
    fix = "a duration such as 500ms, 10s or 1h30m"
    if given == "0":
        return timedelta(0)
    if not _DURATION.fullmatch(given):
        raise ValueError(fix)
    parts: list[tuple[str, str]] = _DURATION_PART.findall(given)
    try:
        return timedelta(
            microseconds=sum(float(number) * _MICROSECONDS_BY_UNIT[unit] for number, unit in parts)
        )
    except OverflowError as error:
        raise ValueError(fix) from error


def period(given: str) -> timedelta:
    """Read a duration that is longer than nothing."""
    length = duration(given)
    if not length:
        raise ValueError("a duration above zero, such as 10s")
    return length


def one_of(choices: type[E]) -> Callable[[str], E]:
    def read(given: str) -> E:
        try:
            return choices(given.lower())
        except ValueError as error:
            raise ValueError("one of: " + ", ".join(choices)) from error

    return read


def words(given: str) -> tuple[str, ...]:
    return tuple(word for part in given.split(",") if (word := part.strip()))


def weights(given: str) -> Mapping[str, int]:
    """Read `id:weight,…`. Other words are ignored, and weights start at 1 (behaviour 2.3)."""
    weight_by_id: dict[str, int] = {}
    for word in words(given):
        name, _, weight = word.rpartition(":")
        if name and re.fullmatch("-?[0-9]{1,9}", weight):
            weight_by_id[name] = max(int(weight), 1)
    return MappingProxyType(weight_by_id)


def networks(given: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(word) for word in words(given))
    except ValueError as error:
        raise ValueError("addresses or networks such as 10.0.0.1, 192.168.0.0/16") from error


def key(given: str) -> bytes | None:
    """Read an encryption key (behaviour 13.8). None: there is none."""
    if not given:
        return None
    if re.fullmatch("[0-9a-fA-F]{64}", given):
        return bytes.fromhex(given)
    if len(plain := given.encode()) == _KEY_BYTES:
        return plain
    standard = given.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(_KEY_FORMS) from error
    if len(decoded) != _KEY_BYTES:
        raise ValueError(_KEY_FORMS)
    return decoded


def keys(given: str) -> tuple[bytes, ...]:
    return tuple(found for word in words(given) if (found := key(word)))


def http_url(given: str) -> str:
    if given and not (urlsplit(given).scheme in {"http", "https"} and urlsplit(given).hostname):
        raise ValueError("an address such as http://localhost:4318")
    return given


def database_url(given: str) -> str:
    """Read where PostgreSQL is. Nothing: the embedded one.

    Without TLS only on this machine: elsewhere passwords and payloads would
    travel in the clear (behaviour 17.1).
    """
    if not given:
        return given
    if urlsplit(given).scheme not in {"postgres", "postgresql"}:
        raise ValueError("an address such as postgres://user:password@host:5432/database")
    mode = ssl_mode(given)
    if mode not in (None, *_SSL_MODES):
        raise ValueError("sslmode as one of: " + ", ".join(_SSL_MODES))
    if mode == "disable" and not is_local(given):
        raise ValueError("sslmode=require (disable is for a database on this machine)")
    return given


def ssl_mode(url: str) -> str | None:
    return parse_qs(urlsplit(url).query).get("sslmode", [None])[-1]


def is_local(url: str) -> bool:
    """Whether the database is reached without leaving this machine."""
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", [""])[-1]
    return host in {"", "localhost", "::1"} or host.startswith(("/", "127."))


def show(value: object) -> str:
    """Write a value as one would in the environment."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case timedelta():
            return _show_duration(value)
        case tuple():
            return ",".join(map(show, value))
        case Mapping():
            return ",".join(f"{show(name)}:{show(item)}" for name, item in value.items())
        case _:
            return str(value)


def _show_duration(length: timedelta) -> str:
    rest, shown = length // timedelta(microseconds=1), ""
    for unit in ("h", "m", "s", "ms", "us"):
        number, rest = divmod(rest, int(_MICROSECONDS_BY_UNIT[unit]))
        shown += f"{number}{unit}" if number else ""
    return shown or "0"


def hide_nothing(shown: str) -> str:
    return shown


def hide(shown: str) -> str:
    return "***" if shown else ""


def hide_password(shown: str) -> str:
    """Keep the address, without the user and the password in it."""
    shown = re.sub(r"^([a-z+]*://)?.*@", r"\1***@", shown, flags=re.IGNORECASE | re.DOTALL)
    return re.sub(r"(password|passfile|sslkey)=[^&\s]*", r"\1=***", shown, flags=re.IGNORECASE)
