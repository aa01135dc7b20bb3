"""Error texts that may be stored, shown and sent on (behaviour 3.3, 15.3; T40d).

What an endpoint writes when it fails is evidence, but it may quote the very
headers we sent it. So a text is cleaned first, so that nothing can hide behind
a control character; then the secrets of this run are taken out to the letter,
and after them whatever looks like a secret of somebody else; only then is it
cut, so that no half of a secret is left at the end.
"""

import re
from collections.abc import Collection
from typing import Final

import msgspec

MAX_BYTES: Final = 4096
MAX_HEADER_BYTES: Final = 1024

_REDACTED: Final = "[REDACTED]"
_READ_CHARACTERS: Final = 16_384
_UNSHOWN_CHARACTERS: Final = 4096
_SHORTEST_SECRET: Final = 4

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed

_PASSWORD_IN_URL: Final = re.compile(r"(?<=://)[^\s/?#\"'<>@]+(?=@)")

_SECRET: Final = re.compile(
    r"""
      (?:postgres(?:ql)?|rediss?)://[^\s"'<>]+    # a connection string
    | bearer\s+[\w.~+/=-]+
    | strait_\w{20,} | (?:whsec|esec)_\w+         # keys of our own
    | (?<![\w-])eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?    # a signed token
    """,
    re.IGNORECASE | re.VERBOSE,
)

_NAMED_SECRET: Final = re.compile(
    r"""
    (
        (?:password|passwd|secret|token|dsn|key|authorization|credential|auth_config)
        [\w.-]{0,64}
        (?<!error)(?<!exception)                  # KeyError: 'id' names no secret
        [\\"']{0,4} \s{0,8} [:=] \s{0,8}
    )
    (?:
        \\?"(?:[^"\\]|\\.)*"?
      | '[^']*'?
      | \{[^}]*\}? | \[[^]]*\]?
      | (?:(?:basic|bearer|digest|negotiate)\s+)?[^\s,;&}\]]+
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)


def presentable(text: str, *, secrets: Collection[str] = ()) -> str:
    """Clean, redact and bound an error text: at most 4 KiB of UTF-8.

    `secrets` are the values sent with this very run, the run token among them;
    the shortest words are left alone, they would only garble the text.
    """
    shown = _CONTROL.sub("", text[:_READ_CHARACTERS])
    longest_first = sorted(_spellings(secrets), key=len, reverse=True)
    for secret in longest_first:
        shown = shown.replace(secret, _REDACTED)
    shown = _PASSWORD_IN_URL.sub(_REDACTED, _SECRET.sub(_REDACTED, shown))
    shown = _NAMED_SECRET.sub(rf"\1{_REDACTED}", shown)
    if len(text) > _READ_CHARACTERS:
        # Where we stopped reading we may have cut a secret in two: stay away from there.
        shown = shown[: -max(_UNSHOWN_CHARACTERS, *map(len, longest_first))]
    return cut(shown, MAX_BYTES)


def of_answer(status: int, body: bytes, *, secrets: Collection[str] = ()) -> str:
    """Tell what an endpoint answered instead of a success."""
    said = body[: 4 * _READ_CHARACTERS].decode(errors="replace").strip()
    told = f"endpoint returned {status}: {said}" if said else f"endpoint returned {status}"
    return presentable(told, secrets=secrets)


def one_line(text: str) -> str:
    """Make a stored error fit a header, `X-Previous-Error` (behaviour 3.2)."""
    return cut(" ".join(_CONTROL.sub(" ", text).split()), MAX_HEADER_BYTES).rstrip()


def cut(text: str, limit: int) -> str:
    """Keep as many whole characters as fit `limit` bytes of UTF-8."""
    return text[:limit].encode(errors="replace")[:limit].decode(errors="ignore")


def _spellings(secrets: Collection[str]) -> set[str]:
    """Spell each secret as it stands in a cleaned text: plain, or inside a JSON string."""
    plain = {_CONTROL.sub("", secret) for secret in secrets}
    in_json = {msgspec.json.encode(secret).decode()[1:-1] for secret in secrets}
    return {secret for secret in plain | in_json if len(secret) >= _SHORTEST_SECRET}
