"""engines/embedded: how it interprets a server's answers."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from claude_local.machine.settings import load_settings
from claude_local.server import llama_http
from claude_local.server.engines.embedded import EmbeddedEngine


@pytest.fixture
def in_a_long_prompt() -> Iterator[ThreadingHTTPServer]:
    """A healthy server that answers the request for its slots only after the test."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slots":
                over.wait()
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Logs nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    yield server
    over.set()
    server.shutdown()
    server.server_close()


def test_a_healthy_server_that_does_not_report_its_slots_is_busy(
    tmp_path: Path, in_a_long_prompt: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"HOME": str(tmp_path), "CLAUDE_LOCAL_LLAMA_PORT": str(in_a_long_prompt.server_address[1])}
    engine = EmbeddedEngine(load_settings(environment, tmp_path, user_id=os.getuid(), group_id=os.getgid()))
    monkeypatch.setattr(llama_http, "TIMEOUT_SECONDS", 1)
    before_start = engine.is_busy()
    engine.directory.mkdir(parents=True)
    engine.spec_file.write_text(json.dumps({"model": "demo.gguf"}))
    this = psutil.Process()
    started = {"pid": this.pid, "create_time": this.create_time(), "profile": "demo"}
    engine.process_file.write_text(json.dumps(started))

    assert (before_start, engine.is_busy()) == (False, True)
