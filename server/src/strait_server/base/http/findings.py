"""What is wrong with a body, for those who have to mend it.

msgspec stops at the first mistake and tells it in a sentence. A form wants all
of them, each as `<field>: failed on '<rule>'` with the JSON name of the field
and the limit in the rule (api 3.3). This module runs only after a failure, so
it may take its time: it reads each field again by itself.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

_PLACE: Final = re.compile(r"(.*?)(?: - at (?:`key` in )?`\$\.?(.*)`)?", re.DOTALL)
_BOUND_BY_SIGN: Final = {">=": "min", "<=": "max", ">": "gt", "<": "lt"}


class Finding(NamedTuple):
    """One mistake: where, and which rule it breaks. A misfit has the wrong JSON type."""

    path: str
    text: str
    is_misfit: bool = False

    def __str__(self) -> str:
        return f"{self.path or 'body'}: {self.text}"


def find(error: msgspec.ValidationError, text: bytes, kind: Any) -> list[Finding]:
    """Tell every mistake of the top level, or else the one that msgspec found."""
    findings = list(_in_fields(text, kind))
    return findings or [_read(str(error))]


def _in_fields(text: bytes, kind: Any) -> Iterator[Finding]:
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return
    try:
        given = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name not in given:
            if field.required:
                yield Finding(name, _failed("required"))
            continue
        try:
            msgspec.json.decode(given[name], type=field.type)
        except msgspec.ValidationError as error:
            found = _read(str(error), choices=_choices(field.type))
            inner = found.path if found.path.startswith("[") or not found.path else f".{found.path}"
            yield found._replace(path=name + inner)


def _read(sentence: str, *, choices: str = "") -> Finding:
    """Turn a sentence of msgspec into a place and a rule."""
    match = _PLACE.fullmatch(sentence)
    what, path = (match[1], match[2] or "") if match else (sentence, "")
    for pattern, rule in _RULES:
        if found := pattern.fullmatch(what):
            return rule(path, found, choices)
    return Finding(path, what[:1].lower() + what[1:])


def _failed(rule: str) -> str:
    return f"failed on '{rule}'"


def _missing(path: str, found: re.Match[str], _: str) -> Finding:
    return Finding(f"{path}.{found[1]}" if path else found[1], _failed("required"))


def _bound(path: str, found: re.Match[str], _: str) -> Finding:
    return Finding(path, _failed(f"{_BOUND_BY_SIGN[found[1]]}={found[2].removesuffix('.0')}"))


def _misfit(path: str, found: re.Match[str], _: str) -> Finding:
    return Finding(path, f"must be {found[1].replace('`', '')}, not {found[2]}", is_misfit=True)


def _choice(path: str, _: re.Match[str], choices: str) -> Finding:
    # The choices are those of the field: what is wrong deeper inside has others.
    return Finding(path, _failed("oneof" if path or not choices else f"oneof={choices}"))


def _named(rule: str) -> Callable[[str, re.Match[str], str], Finding]:
    return lambda path, found, _: Finding(path, _failed(found.expand(rule)))


_RULES: Final = (
    (re.compile(r"Object missing required field `(.*)`"), _missing),
    (re.compile(r"Expected `\w+`(?: of length)? (>=|<=|>|<) (\S+)"), _bound),
    (re.compile(r"Expected `([^`]+)`, got `(\w+)`"), _misfit),
    (re.compile(r"Invalid enum value .*", re.DOTALL), _choice),
    (re.compile(r"Expected `str` matching regex '(.*)'", re.DOTALL), _named(r"pattern=\1")),
    (re.compile(r"Expected `\w+` that's a multiple of (\S+)"), _named(r"multiple_of=\1")),
    (re.compile(r"Expected `datetime` with a timezone component"), _named("timezone")),
    (re.compile(r"Invalid RFC3339 encoded (\w+)"), _named(r"\1")),
    (re.compile(r"Invalid (UUID)"), _named(r"uuid")),
    (re.compile(r"(?:Integer value|Number) out of range"), _named("range")),
)


def _choices(kind: Any) -> str:
    """List the values an enumeration or a literal allows, if it is one."""
    info = msgspec.inspect.type_info(kind)
    kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    for one in kinds:
        if isinstance(one, msgspec.inspect.EnumType):
            return " ".join(str(member.value) for member in one.cls)
        if isinstance(one, msgspec.inspect.LiteralType):
            return " ".join(map(str, one.values))
    return ""
