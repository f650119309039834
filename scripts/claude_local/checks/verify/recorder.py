"""A loopback server that answers like the Messages API and records every request.

`verify` and `prompt-size` use it in place of a model server, to see what Claude Code sends, and where.
There is no model: its script provides the answers.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from types import TracebackType
from typing import Any

CONTEXT_TOKENS = 131072


@dataclass(frozen=True)
class Recorded:
    """One request as received. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as data; {} if it is not a JSON object."""
        try:
            data = json.loads(self.body)
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}

    @property
    def raw(self) -> str:
        """The whole request as one text to search in."""
        lines = [f"{self.method} {self.path}", *(f"{k}: {v}" for k, v in self.headers.items())]
        return "\n".join(lines) + "\n\n" + self.body.decode(errors="replace")


Script = Callable[[Recorded], list[dict[str, Any]]]
"""The content blocks of the answer to a `/v1/messages` request."""

Pause = Callable[[Recorded], object]
"""Called when all blocks of an answer are sent, before its end."""


def say_ok(_request: Recorded) -> list[dict[str, Any]]:
    """The shortest answer."""
    return [{"type": "text", "text": "ok"}]


class _TcpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _UnixServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class Recorder:
    """Listens during its `with` block, on a free port of 127.0.0.1 or on a given Unix socket.

    With a `key`, it refuses requests without that key, as llama-server does.
    """

    def __init__(self, script: Script = say_ok, *, unix_socket: Path | None = None, key: str = "") -> None:
        self.script = script
        self.pause: Pause = lambda _request: None
        self.key = key
        self.requests: list[Recorded] = []
        self._server: _TcpServer | _UnixServer
        if unix_socket:
            self._server = _UnixServer(str(unix_socket), self._handler())
        else:
            self._server = _TcpServer(("127.0.0.1", 0), self._handler())
        self.port = 0 if unix_socket else int(self._server.socket.getsockname()[1])
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def messages(self) -> list[dict[str, Any]]:
        """The bodies of all `/v1/messages` requests, in order."""
        return [r.json() for r in self.requests if r.path.partition("?")[0] == "/v1/messages"]

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        with socket.socket(self._server.socket.family) as knock:  # wakes the thread
            knock.connect(self._server.socket.getsockname())
        self._thread.join()
        self._server.server_close()

    def _serve(self) -> None:
        while not self._closing:
            self._server.handle_request()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = self._record()
                if not self._brings_key(request):
                    self._send_json({"error": {"message": "Invalid API Key"}}, status=401)
                elif request.path.partition("?")[0] == "/v1/messages":
                    self._send_events(request)
                else:
                    self._send_json({"input_tokens": max(1, len(request.body) // 4)})

            def do_GET(self) -> None:
                if not self._brings_key(self._record()):
                    self._send_json({"error": {"message": "Invalid API Key"}}, status=401)
                    return
                slot = {"n_ctx": CONTEXT_TOKENS}
                self._send_json({"status": "ok", "data": [], "default_generation_settings": slot})

            def do_HEAD(self) -> None:
                self._record()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_CONNECT(self) -> None:
                self._record()
                self.send_error(403)

            def log_message(self, format: str, *arguments: object) -> None:
                """Logs nothing."""

            def _record(self) -> Recorded:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Recorded(self.command, self.path, headers, self.rfile.read(length))
                recorder.requests.append(request)
                return request

            def _brings_key(self, request: Recorded) -> bool:
                return not recorder.key or request.headers.get("authorization") == f"Bearer {recorder.key}"

            def _send_json(self, data: dict[str, Any], *, status: int = 200) -> None:
                self._send("application/json", json.dumps(data).encode(), status=status)

            def _send_events(self, request: Recorded) -> None:
                content = recorder.script(request)
                message = _message(content, request.json().get("model", ""))
                if request.json().get("stream"):
                    *blocks, delta, stop = [_event(event).encode() for event in _events(message)]
                    self._send("text/event-stream", b"".join(blocks), delta + stop, request=request)
                else:
                    self._send_json(message)

            def _send(
                self,
                kind: str,
                body: bytes,
                end: bytes = b"",
                *,
                status: int = 200,
                request: Recorded | None = None,
            ) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body) + len(end)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # the client has hung up
                    self.wfile.write(body)
                    if request:
                        recorder.pause(request)
                    self.wfile.write(end)

        return Handler


def _message(content: list[dict[str, Any]], model: str) -> dict[str, Any]:
    uses_tool = any(block["type"] == "tool_use" for block in content)
    return {
        "id": f"msg_{uuid.uuid4().hex}",  # Claude Code joins answers with the same one
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if uses_tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }


def _events(message: dict[str, Any]) -> list[dict[str, Any]]:
    start = {**message, "content": [], "stop_reason": None}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(message["content"]):
        events += _block_events(index, block)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}})
    return [*events, {"type": "message_stop"}]


def _block_events(index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    empty: dict[str, Any]
    if block["type"] in ("text", "thinking"):
        kind = block["type"]
        empty, delta = {**block, kind: ""}, {"type": f"{kind}_delta", kind: block[kind]}
    else:
        empty = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        {"type": "content_block_delta", "index": index, "delta": delta},
        {"type": "content_block_stop", "index": index},
    ]


def _event(event: dict[str, Any]) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
