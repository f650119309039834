"""engines: the checks before a server counts as ours and as ready."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from claude_local.foundation.errors import EngineFailed
from claude_local.server import probe
from claude_local.server.llama_http import LlamaHttp
from claude_local.server.router import Router

KEY = "the-key"


@dataclass
class Server:
    """A server of ours. Records the path of each request, and whether it had the key."""

    answers: dict[str, Any]
    asks_for_a_key: bool = True
    asked: list[tuple[str, bool]] = field(default_factory=list)
    port: int = 0

    @contextmanager
    def runs(self) -> Iterator[LlamaHttp]:
        own = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                has_key = self.headers["Authorization"] == f"Bearer {KEY}"
                own.asked.append((self.path, has_key))
                status, answer = own._answer(self.path, has_key)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                """Logs nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = int(server.server_address[1])
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield LlamaHttp(f"http://127.0.0.1:{self.port}", KEY)
        finally:
            server.shutdown()
            server.server_close()

    def _answer(self, path: str, has_key: bool) -> tuple[int, Any]:
        if self.asks_for_a_key and not has_key:
            return 401, {"error": {"message": "Invalid API Key"}}
        if path not in self.answers:
            return 400, {"error": {"message": "this template refuses the question"}}
        return 200, self.answers[path]


def times_asked_without_key(server: Server) -> int:
    return sum(not has_key for _, has_key in server.asked)


def test_a_server_that_refused_once_is_not_asked_again_but_its_successor_is() -> None:
    server = Server({})
    found = []
    for is_locked in (True, False):
        server.asks_for_a_key = is_locked
        with server.runs() as http:
            found.append(([Router(http).is_locked() for _ in range(3)], times_asked_without_key(server)))

    # A server that accepts requests without a key is not cached: it may need one later.
    assert found == [([True] * 3, 1), ([False] * 3, 4)]


def test_a_port_without_a_server_is_not_locked() -> None:
    with Server({}).runs() as http:
        pass

    assert [Router(http).is_locked() for _ in range(2)] == [False, False]


GOOD = {
    "/v1/messages/count_tokens": {"input_tokens": 9},
    "/completion": {"model": "demo", "tokens_predicted": 1},
}


def without(path: str) -> dict[str, Any]:
    return {other: answer for other, answer in GOOD.items() if other != path}


def test_a_model_that_counts_tokens_and_generates_one_is_ready() -> None:
    server = Server(GOOD)
    with server.runs() as http:
        probe.check_answers(http, "demo")

    assert server.asked == [("/v1/messages/count_tokens", True), ("/completion", True)]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (
            without("/v1/messages/count_tokens"),
            "llama-server refuses /v1/messages/count_tokens: this template refuses the question",
        ),
        (
            GOOD | {"/v1/messages/count_tokens": {"input_tokens": 0}},
            "the chat template of `demo` turns a question into an empty prompt",
        ),
        (without("/completion"), "llama-server refuses /completion"),
        (
            GOOD | {"/completion": {"model": "other", "tokens_predicted": 1}},
            "`other` answers in place of `demo`",
        ),
        (
            GOOD | {"/completion": {"model": "demo", "tokens_predicted": 0}},
            "`demo` is loaded but generates no token",
        ),
    ],
)
def test_a_model_that_does_not_answer_is_not_ready(answers: dict[str, Any], reason: str) -> None:
    with Server(answers).runs() as http, pytest.raises(EngineFailed, match=f"^{reason}"):
        probe.check_answers(http, "demo")
