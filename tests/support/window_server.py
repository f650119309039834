"""A model server with a window of a given size: it counts tokens, and refuses long prompts as llama-server does."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from support.machine import Machine

KEY = "the-key"
BYTES_PER_TOKEN = 4


class WindowServer:
    """Listens during its `with` block, on a free port of 127.0.0.1."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.prompts: list[int] = []
        """Tokens of each prompt that was answered."""
        self.refused: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> WindowServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self, machine: Machine) -> None:
        """Makes this the model server of the machine, and renders."""
        machine.port = self.port
        machine.invoke_ok("render")
        key_file = machine.state_dir / "llama" / "api_key"
        key_file.parent.mkdir(parents=True)
        key_file.write_text(KEY)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        window = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.headers["Authorization"] != f"Bearer {KEY}":
                    self._send(401, {})
                elif self.path.startswith("/props"):
                    self._send(200, {"n_ctx": window.tokens})
                else:
                    self._send(200, {"data": [{"id": "one", "aliases": ["local-llama"]}]})

            def do_HEAD(self) -> None:
                self._send(200, {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                tokens = len(body) // BYTES_PER_TOKEN
                if self.path.startswith("/v1/messages/count_tokens"):
                    self._send(200, {"input_tokens": tokens})
                elif tokens > window.tokens:
                    window.refused.append(tokens)
                    text = f"request ({tokens} tokens) exceeds the available context size ({window.tokens} tokens)"
                    self._send(400, {"error": {"type": "exceed_context_size_error", "message": text}})
                else:
                    window.prompts.append(tokens)
                    self._answer(tokens, stream=bool(json.loads(body).get("stream")))

            def log_message(self, format: str, *arguments: object) -> None:
                """Logs nothing."""

            def _answer(self, tokens: int, *, stream: bool) -> None:
                usage = {"input_tokens": tokens, "output_tokens": 5}
                block = {"type": "text", "text": "<summary>all is well</summary>"}
                name = f"msg_{len(window.prompts)}"  # Claude Code counts messages with one id as one
                message: dict[str, Any] = {
                    "id": name,
                    "type": "message",
                    "role": "assistant",
                    "model": "local-llama",
                }
                message |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
                if not stream:
                    self._send(200, {**message, "content": [block], "stop_reason": "end_turn"})
                    return
                events: list[dict[str, Any]] = [
                    {"type": "message_start", "message": message},
                    {
                        "type": "content_block_start",
                        "index": 0,
                        "content_block": {"type": "text", "text": ""},
                    },
                    {"type": "content_block_delta", "index": 0, "delta": {**block, "type": "text_delta"}},
                    {"type": "content_block_stop", "index": 0},
                    {
                        "type": "message_delta",
                        "delta": {"stop_reason": "end_turn"},
                        "usage": {"output_tokens": 5},
                    },
                    {"type": "message_stop"},
                ]
                text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
                self._write(200, "text/event-stream", text.encode())

            def _send(self, status: int, data: dict[str, Any]) -> None:
                self._write(status, "application/json", json.dumps(data, separators=(",", ":")).encode())

            def _write(self, status: int, kind: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        return Handler
