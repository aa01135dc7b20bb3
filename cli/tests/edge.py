"""The server at the other end of the wire: a real one, that answers as it was told."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit


class Says(NamedTuple):
    """One answer. A status of 0 hangs up without a word."""

    status: int
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012  never changed


HANGS_UP = Says(0)


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class Edge:
    """Answers per method and path, in order; the last one is repeated."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self._answers: dict[tuple[str, str], list[Says]] = defaultdict(list)

    def on(self, method: str, path: str, *answers: Says) -> None:
        self._answers[method, path] += answers

    def answer(self, asked: Asked) -> Says:
        self.asked.append(asked)
        waiting = self._answers[asked.method, asked.path]
        if not waiting:
            return Says(404, {"error": "no such route", "code": "not_found"})
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    @property
    def bodies(self) -> list[Any]:
        return [asked.body for asked in self.asked]


@contextmanager
def running() -> Iterator[Edge]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    edge = Edge(f"http://127.0.0.1:{server.server_port}")
    server.edge = edge
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield edge
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        url = urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        said = self.server.edge.answer(
            Asked(
                self.command,
                url.path,
                parse_qs(url.query),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(sent) if sent else None,
            )
        )
        self.close_connection = True
        if said.status:
            self._say(said)

    def _say(self, said: Says) -> None:
        body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        body = b"" if said.body is None else body
        self.send_response(said.status)
        for name, value in {"Content-Type": "application/json", **said.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
