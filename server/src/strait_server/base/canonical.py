"""One spelling for each JSON value, so that equal payloads have equal bytes.

The canonical form (behaviour 2.7, B.6) is UTF-8 with keys sorted by code point,
no spaces and no needless escapes. Numbers keep the digits they were written with:
nothing passes through a float, and integers have up to 4300 digits (T95).
Two spellings are one value here as in `jsonb`: `-0` becomes `0`.
"""

import json
import re
from collections import Counter
from contextlib import suppress
from itertools import accumulate
from typing import Final

import msgspec

MAX_DEPTH: Final = 512
MAX_DIGITS: Final = 4300

_SHOWN: Final = 64
_TRUNCATED: Final = "Input data was truncated"
_decoder: Final = msgspec.json.Decoder(float_hook=msgspec.Raw)
_encoder: Final = msgspec.json.Encoder(order="deterministic")

_ESCAPE: Final = re.compile(rb"\\(?:u0000|.)", re.DOTALL)
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEP_BY_BRACKET: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class PayloadError(ValueError):
    """The bytes are not a JSON value we can keep. The text says why, for the caller."""


def canonical(raw: bytes) -> bytes:
    """Write a JSON value in its canonical form; no bytes at all mean `{}`.

    Raises `PayloadError` for malformed JSON, invalid UTF-8, lone surrogates,
    more than 512 levels, and a key that stands twice in one object.
    """
    if not raw:
        return b"{}"
    try:
        written = _encoder.encode(_decoder.decode(raw))
    except msgspec.ValidationError as error:  # all there is to validate is this
        raise PayloadError(f"integer out of range: more than {MAX_DIGITS} digits") from error
    except msgspec.MsgspecError as error:
        raise PayloadError(_reason(str(error), raw)) from error
    except UnicodeDecodeError as error:
        raise PayloadError("JSON is malformed: invalid UTF-8 in a string") from error
    except RecursionError as error:
        raise PayloadError(f"JSON is nested deeper than {MAX_DEPTH} levels") from error
    # The decoder keeps the last of two equal keys. Each key has two quotes, and
    # nothing else can lose any, so fewer quotes mean that a key was dropped.
    if _count_quotes(written) != _count_quotes(raw):
        raise PayloadError(f"an object has the same key twice{_key_given_twice(raw)}")
    if _is_too_deep(written):
        raise PayloadError(f"JSON is nested deeper than {MAX_DEPTH} levels")
    return written


def strip_nul(raw: bytes) -> bytes:
    r"""Take the NUL characters, which PostgreSQL cannot store, out of a JSON text.

    A raw NUL byte becomes a space, and `\u0000` vanishes from every string and
    key (api 1.2). `\\u0000`, a backslash and five characters, stays.
    """
    if b"\0" in raw:
        raw = raw.replace(b"\0", b" ")
    if b"\\" in raw and b"\\u0000" in raw:  # one byte is searched for ten times faster
        raw = _ESCAPE.sub(lambda found: b"" if found[0] == b"\\u0000" else found[0], raw)
    return raw


def _reason(said: str, raw: bytes) -> str:
    """Say what is wrong with a text that the decoder does not take.

    Of half a character at the end of a string it says that the text is too
    short; another decoder, which takes halves, knows better.
    """
    if said == _TRUNCATED:
        try:
            json.loads(raw)
        except (ValueError, RecursionError):
            return "JSON is malformed: it ends too early"
    elif "surrogate" not in said:
        return said
    return "JSON is malformed: a string holds half a character, a surrogate without its pair"


def _count_quotes(text: bytes) -> int:
    """Count the quotes that open or close a string."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return text.count(b'"')


def _key_given_twice(raw: bytes) -> str:
    """Name the key, for whoever has to mend it, unless the nesting hides it."""
    found: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        (name, count), *_ = Counter(name for name, _ in pairs).most_common(1) or [("", 0)]
        if count > 1:
            found.append(name[:_SHOWN])

    with suppress(RecursionError):
        json.loads(raw, object_pairs_hook=look)
    return f": {json.dumps(found[0])}" if found else ""


def _is_too_deep(text: bytes) -> bool:
    if len(text) <= 2 * MAX_DEPTH or text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", text).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEP_BY_BRACKET.__getitem__, brackets)), default=0) > MAX_DEPTH
