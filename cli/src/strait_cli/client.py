"""What a call is (cli 5): headers, repetition, cursors, and how an answer reads.

Every call ends as decoded JSON or as one of the errors of `errors`. A call that
may safely be repeated is tried three times. This module does not know how bytes
travel: it is handed a function that sends (`transport` has the real one).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote

from strait_cli import clock, ids, retry
from strait_cli.errors import CliError, ConfigError, NoKey, Unreachable, kind_of
from strait_cli.settings import Settings
from strait_cli.version import VERSION

Json = dict[str, Any]

PAGE_SIZE: Final = 100
MAX_PAGES: Final = 100

_ENVELOPE: Final = frozenset({"error", "message", "code", "details", "request_id"})
_LONGEST_SEGMENT: Final = 256
_FIRST_REFUSAL: Final = 300


class Answer(NamedTuple):
    """What came back, whole. The names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Silence(Exception):
    """No answer came; the message says why."""


class Send(Protocol):
    """Carry one request to the server, or raise `Silence`."""

    def __call__(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        body: object,
    ) -> Answer: ...


class Listing(NamedTuple):
    """The rows of a list; `more` when the server has others that were not fetched."""

    rows: list[Json]
    more: bool


class Client:
    """Calls to one server with one key."""

    def __init__(
        self,
        settings: Settings,
        send: Send,
        *,
        note: Callable[[str], None],
        sleep: Callable[[float], None] = clock.sleep,
    ) -> None:
        self._settings = settings
        self._send = send
        self._note = note
        self._sleep = sleep

    def get(self, path: str, **params: Any) -> Json:
        return as_object(self.call("GET", path, params=params))

    def post(self, path: str, body: object = None, *, key: str = "") -> Json:
        """Send a command. Only with an idempotency key may it be sent again."""
        return as_object(self.call("POST", path, body=body, key=key))

    def rows(self, path: str, *, limit: int = 0, **params: Any) -> Listing:
        """Fetch a list by following its cursors, at most `limit` rows (0: no limit)."""
        found: list[Json] = []
        cursor = ""
        for _ in range(MAX_PAGES):
            size = min(PAGE_SIZE, limit - len(found)) if limit else PAGE_SIZE
            page = self.call("GET", path, params={**params, "limit": size, "cursor": cursor})
            if isinstance(page, list):
                return Listing(page[: limit or None], more=False)
            page = as_object(page)
            fresh = page.get("data") or page.get("items") or []
            found += fresh
            cursor = page.get("next_cursor") or ""
            if not fresh or not cursor or page.get("has_more") is False:
                return Listing(found, more=False)
            if len(found) == limit:
                break
        return Listing(found, more=True)

    def call(  # noqa: PLR0913  a call has that many parts
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        key: str = "",
        patient: bool = True,
    ) -> Any:
        """Make one call and return its decoded body, None for an empty one.

        Not `patient`: the first answer counts, also when it is a refusal.
        """
        given = {name: value for name, value in (params or {}).items() if value not in (None, "")}
        headers = self._headers(path, key)
        safe = patient and retry.is_safe(method)
        attempt = 1
        while True:
            try:
                answer = self._send(method, path, params=given, headers=headers, body=body)
            except Silence as silence:
                wait = retry.after_silence(attempt=attempt, safe=safe, jitter=ids.jitter(1))
                if wait is None:
                    raise Unreachable(str(silence)) from silence
            else:
                wait = retry.after_answer(
                    answer.status,
                    attempt=attempt,
                    repeatable=safe or bool(key),
                    retry_after=_retry_after(answer),
                    jitter=ids.jitter(1),
                )
                if wait is None:
                    return _decode(answer)
            self._note(f"no luck with {method} {path}, trying again in {wait:.1f} s")
            self._sleep(wait)
            attempt += 1

    def _headers(self, path: str, key: str) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "User-Agent": f"strait/{VERSION}",
            "X-SDK-Version": VERSION,
        }
        if path.startswith("/v1/"):
            if not self._settings.api_key:
                raise NoKey("this needs an API key, and there is none")
            headers["Authorization"] = f"Bearer {self._settings.api_key}"
        if self._settings.project:
            headers["X-Project-Id"] = self._settings.project
        if key:
            headers["Idempotency-Key"] = key
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                raise ConfigError(f"{name} may hold plain ASCII only")
        return headers


def segment(value: str) -> str:
    """Quote an id or a slug for a path, or refuse what cannot be one (cli 4.2)."""
    broken = not value or value in {".", ".."} or value.startswith("%")
    broken = broken or any(char in "/\\" or not char.isprintable() for char in value)
    if broken or len(value) > _LONGEST_SEGMENT:
        raise ConfigError(f"{value[:40]!r} cannot be an id or a slug")
    return quote(value, safe="")


def as_object(document: object) -> Json:
    """Take a JSON object; an empty answer is an empty object."""
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise CliError("the server answered with something other than an object")
    return document


def _retry_after(answer: Answer) -> float | None:
    return retry.parse_retry_after(answer.headers.get("retry-after"), now=clock.now())


def _decode(answer: Answer) -> Any:
    try:
        document = json.loads(answer.content) if answer.content else None
    except ValueError as error:
        if answer.status < _FIRST_REFUSAL:
            raise CliError("the answer is not JSON; is this a Strait server?") from error
        document = None
    if answer.status >= _FIRST_REFUSAL:
        raise _refusal(answer, document)
    return document


def _refusal(answer: Answer, document: object) -> CliError:
    """Read the error envelope in any of its shapes (api 3.1)."""
    body = document if isinstance(document, dict) else {}
    error = body.get("error")
    inner = error if isinstance(error, dict) else {}
    text = inner.get("message") or body.get("message") or (error if isinstance(error, str) else "")
    if not text:
        moved = answer.headers.get("location")
        text = f"HTTP {answer.status}" + (f", moved to {moved}" if moved else "")
    extra = {name: value for name, value in body.items() if name not in _ENVELOPE}
    wait = answer.headers.get("retry-after", "")
    return kind_of(answer.status)(
        str(text),
        status=answer.status,
        api_code=str(inner.get("code") or body.get("code") or ""),
        request_id=str(body.get("request_id") or answer.headers.get("x-request-id") or ""),
        suggestion=f"try again in {wait} s" if wait.isdecimal() else "",
        details=inner.get("details") or body.get("details") or extra,
    )
