"""Which numbers a payload may hold: those that PostgreSQL can compare (`jsonb`, api 9.9)."""

import re
from typing import Final

from strait_server.base.errors import Invalid

MAX_DIGITS: Final = 4300
MAX_EXPONENT: Final = 9999

_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
# Every payload is looked through, so both looks take a time that grows with its length alone.
_FAR: Final = re.compile(rb"[eE][+-]?0*[1-9][0-9]{4}")
_DIGITS: Final = bytes(ord("1" if chr(code) in "0123456789." else " ") for code in range(256))
_LONG: Final = b"1" * (MAX_DIGITS + 2)  # one is a point


def check_numbers(field: str, document: bytes) -> None:
    """Raise `Invalid` for a number in a JSON document that is too long or too far from one."""
    if _is_suspect(document) and _is_suspect(_STRING.sub(b'""', document)):
        raise Invalid(
            f"{field}: a number is out of range: at most {MAX_DIGITS} digits"
            f" and an exponent of at most {MAX_EXPONENT}"
        )


def _is_suspect(text: bytes) -> bool:
    return bool(_FAR.search(text)) or (len(text) > MAX_DIGITS and _LONG in text.translate(_DIGITS))
