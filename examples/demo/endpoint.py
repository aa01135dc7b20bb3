"""The user's side: an HTTP server whose routes do the jobs' work.

Nothing here knows Strait beyond what it sends: a POST with the payload, and
the run's id and attempt in the headers.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Endpoint:
    """A server on a free port. `healed` lets the doomed job succeed from then on."""

    def __init__(self) -> None:
        self.healed = False
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                attempt = int(self.headers["X-Attempt"])
                status, answer = endpoint.work(self.path, payload, attempt)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep the terminal for the demo."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def work(self, path: str, payload: dict[str, object], attempt: int) -> tuple[int, object]:
        """What each job does: greet, fail twice, fail always, remind."""
        match path:
            case "/greet":
                return 200, {"greeting": f"hello {payload['name']}"}
            case "/flaky":
                return (200, {"attempts": attempt}) if attempt > 2 else (503, {"error": "busy"})
            case "/doomed":
                return (200, {"healed": True}) if self.healed else (500, {"error": "no disk space"})
            case "/remind":
                return 200, {"reminded": payload["of"]}
            case _:
                return 404, {"error": "no such job"}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
