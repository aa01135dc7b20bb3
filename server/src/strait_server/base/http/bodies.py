"""Bodies of requests: bytes in, a checked Struct out (api 1.2).

Unknown fields are ignored and no bytes at all mean `{}`. Everything a database
or a program would choke on later is refused here: malformed JSON, halves of
characters, more than 512 levels, one key twice. NUL characters, which
PostgreSQL cannot store, are taken out.
"""

from typing import Any, Final, TypeVar

import msgspec

from strait_server.base.canonical import PayloadError, canonical, strip_nul
from strait_server.base.errors import Invalid, TooLarge
from strait_server.base.http.findings import find

T = TypeVar("T")

_NOTHING: Final = b"{}"
_decoder_by_kind: Final[dict[Any, Any]] = {}  # one per type of the program: it is bounded


def decode(body: bytes, kind: type[T]) -> T:
    """Read the body as a `kind`, or raise `Invalid` with every field that is wrong."""
    text = strip_nul(body) if body else _NOTHING
    try:
        canonical(text)
    except PayloadError as error:
        raise Invalid(f"invalid request body: {error}") from error
    try:
        value: T = _decoder(kind).decode(text)
    except msgspec.ValidationError as error:
        raise _refusal(error, text, kind) from error
    return value


def check_size(size: int, limit: int) -> None:
    """Raise `TooLarge` when a body has more bytes than we take."""
    if size > limit:
        raise TooLarge(f"request body too large: at most {limit} bytes")


def _decoder(kind: Any) -> Any:
    decoder = _decoder_by_kind.get(kind)
    if decoder is None:
        decoder = _decoder_by_kind[kind] = msgspec.json.Decoder(kind)
    return decoder


def _refusal(error: msgspec.ValidationError, text: bytes, kind: Any) -> Invalid:
    """Call a value of the wrong JSON type malformed; anything else breaks a rule."""
    findings = find(error, text, kind)
    problems = [str(finding) for finding in findings]
    misfit = next((finding for finding in findings if finding.is_misfit), None)
    if misfit is None:
        return Invalid("validation failed", problems=problems)
    return Invalid(f"invalid request body: {misfit}", problems=problems)
