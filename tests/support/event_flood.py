"""A management API for measurements: sends a recorded snapshot once a second, and log lines at a given rate.

Run it as a separate process, so that it takes no time from the measurement. It prints its port.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from claude_local.management.web_files import files  # noqa: E402  the path comes first
from support.dashboard_screens import LOG_LINES, READY  # noqa: E402

BATCHES_PER_SECOND = 20


class EventFlood(ThreadingHTTPServer):
    """Serves on a free port of 127.0.0.1 and sends `lines_per_second` log lines to each listener."""

    daemon_threads = True

    def __init__(self, lines_per_second: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lines_per_second = lines_per_second
        self.lines_sent = 0
        self.pages = files()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that disconnects is not an error."""


class _Handler(BaseHTTPRequestHandler):
    server: EventFlood

    def do_GET(self) -> None:
        answers = {
            "/sent": {"lines": self.server.lines_sent},
            "/health": {"status": "ok"},
            "/models": {"models": []},
            "/status": READY.to_dict(),
        }
        if self.path == "/events":
            self._stream()
        elif file := self.server.pages.get(self.path):
            self._send(file.media_type, file.content)
        else:
            self._send("application/json", json.dumps(answers[self.path]).encode())

    def _send(self, media_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.end_headers()
        self._send_event("log_tail", {"lines": LOG_LINES})
        number, began = 0, time.monotonic()
        while True:
            if number % BATCHES_PER_SECOND == 0:
                now = dataclasses.replace(READY, uptime_seconds=float(number))
                self._send_event("state" if number == 0 else "sample", now.to_dict())
            number += 1
            count = self.server.lines_per_second // BATCHES_PER_SECOND
            if count:
                line = LOG_LINES[number % len(LOG_LINES)]
                self._send_event("log", {"lines": [f"{number} {each} {line}" for each in range(count)]})
                self.server.lines_sent += count
            time.sleep(max(0.0, began + number / BATCHES_PER_SECOND - time.monotonic()))

    def _send_event(self, name: str, data: Any) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        """Logs nothing."""


if __name__ == "__main__":
    flood = EventFlood(int(sys.argv[1]))
    print(flood.server_address[1], flush=True)
    flood.serve_forever()
