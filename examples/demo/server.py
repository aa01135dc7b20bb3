"""Strait itself, as a process of its own."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

START_SECONDS = 60.0


class Server:
    """`strait serve` on a free port, with its embedded PostgreSQL in `data`."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data / "demo.log"
        self.secret = os.urandom(24).hex()
        environment = {
            **os.environ,
            "DATA_DIR": str(data),
            "INTERNAL_SECRET": self.secret,
            "ALLOW_PRIVATE_ENDPOINTS": "true",  # the sample endpoint is on this machine
            "DATABASE_URL": "",
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "strait_cli", "serve", "--port", str(self.port)],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> float:
        """Seconds until it answered. RuntimeError with the log's end when it does not."""
        began = time.monotonic()
        while time.monotonic() - began < START_SECONDS:
            if self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/health/ready").status_code == 200:
                    return time.monotonic() - began
            except httpx.TransportError:
                time.sleep(0.05)
        tail = self.log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the server did not start; the end of {self.log}:\n{tail}")

    def stop(self) -> int:
        """Ask it to drain and end; its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(45)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
