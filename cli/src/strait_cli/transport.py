"""How bytes travel: one connection pool to one server.

A redirect is never followed, so the key never reaches another origin. Imported
only when a call is made: httpx is slow to load.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from strait_cli import clock
from strait_cli.client import Answer, Silence
from strait_cli.errors import CliError, ConfigError
from strait_cli.settings import Settings

MAX_BODY: Final = 50 * 1024 * 1024


class Transport:
    """A `Send` over HTTP. `trace` hears one line per exchange, more with `--debug`."""

    def __init__(self, settings: Settings, *, trace: Callable[[str], None]) -> None:
        self._settings = settings
        self._trace = trace
        self._http = httpx.Client(base_url=_origin(settings.server), timeout=settings.timeout)

    def close(self) -> None:
        self._http.close()

    def __call__(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any],
        headers: Mapping[str, str],
        body: object,
    ) -> Answer:
        request = self._http.build_request(
            method, path, params=params, headers=_typed(headers, body), content=_encoded(body)
        )
        began = clock.monotonic()
        try:
            answer = self._exchange(request)
        except httpx.TimeoutException as error:
            raise Silence(
                f"{self._settings.server} did not answer within {self._settings.timeout:g} s"
            ) from error
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise Silence(f"cannot reach {self._settings.server}: {reason}") from error
        took = (clock.monotonic() - began) * 1000
        self._trace(f"{method} {request.url} -> {answer.status} in {took:.0f} ms")
        if self._settings.debug:
            self._trace_headers(request, answer)
        return answer

    def _exchange(self, request: httpx.Request) -> Answer:
        response = self._http.send(request, stream=True)
        try:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_BODY:
                    raise CliError(f"the answer is larger than {MAX_BODY >> 20} MB")
        finally:
            response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, bytes(content))

    def _trace_headers(self, request: httpx.Request, answer: Answer) -> None:
        """Bodies are payloads and secrets: of them only the size is told."""
        for name, value in request.headers.items():
            self._trace(f"> {name}: {'Bearer ***' if name == 'authorization' else value}")
        for name, value in answer.headers.items():
            self._trace(f"< {name}: {value}")
        self._trace(f"< {len(answer.content)} bytes")


def _typed(headers: Mapping[str, str], body: object) -> dict[str, str]:
    return {**headers} if body is None else {**headers, "Content-Type": "application/json"}


def _encoded(body: object) -> bytes | None:
    if body is None:
        return None
    try:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"this cannot be sent as JSON: {error}") from error


def _origin(server: str) -> httpx.URL:
    try:
        url = httpx.URL(server)
    except httpx.InvalidURL as error:
        raise ConfigError(f"{server!r} is not a URL: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigError(f"{server!r} is not a URL such as http://localhost:8080")
    return url
