"""The management API in tests: a separate server, and requests that are exact to the byte."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.ports import unused_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 100
ANSWER_SECONDS = 100


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The `code` of an error; fails the test if the error has another form."""
        error = self.json()["error"]
        assert {"code", "message", "hint"} <= error.keys()
        assert all(isinstance(error[name], str) for name in ("code", "message", "hint"))
        return str(error["code"])


@dataclass(frozen=True)
class Api:
    """A management API on 127.0.0.1."""

    port: int

    def get(self, path: str, **headers: str) -> Answer:
        return self.send(request("GET", path, self.port, headers=headers))

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.send(request("POST", path, self.port, json.dumps(body).encode(), headers))

    def send(self, *pieces: bytes, timeout_seconds: float = ANSWER_SECONDS) -> Answer:
        """Sends raw bytes and reads one whole answer."""
        with self.connect(timeout_seconds) as connection:
            for piece in pieces:
                try:
                    connection.sendall(piece)
                except (BrokenPipeError, ConnectionResetError):
                    break  # refused before the server read all of it
            return read_answer(connection)

    def connect(self, timeout_seconds: float = ANSWER_SECONDS) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_seconds)


def request(
    method: str, path: str, port: int, body: bytes | None = None, headers: dict[str, str] | None = None
) -> bytes:
    """The bytes of a well-formed request. Underscores in the names of `headers` become dashes."""
    given = {"Host": f"127.0.0.1:{port}", "Connection": "close"}
    if body is not None:
        given |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def read_answer(connection: socket.socket) -> Answer:
    """Reads one answer from a connection."""
    received = b""
    while b"\r\n\r\n" not in received and (piece := _receive(connection)):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length and (piece := _receive(connection)):
        body += piece
    return Answer(int(first.split()[1]) if first else 0, headers, body)


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


class Served:
    """A management server without an engine, with a separate state folder."""

    def __init__(self, folder: Path, **settings: str) -> None:
        llama_port, port = unused_port(), unused_port()
        self.api = Api(port)
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT / "scripts"),
            "CLAUDE_LOCAL_BUILD_DIR": str(folder / "build"),
            "CLAUDE_LOCAL_MODELS_DIR": str(folder / "models"),
            "CLAUDE_LOCAL_MANAGEMENT_PORT": str(port),
            "CLAUDE_LOCAL_LLAMA_PORT": str(llama_port),
            "CLAUDE_LOCAL_COMPOSE_PROJECT": f"claude-local-test-{port}",
            **settings,
        }
        self.log = folder / "server.log"

    def __enter__(self) -> Served:
        argv = [sys.executable, "-m", "claude_local", "serve", str(ROOT), str(self.folder / "state")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return self

    def answers(self) -> bool:
        try:
            return self.api.get("/health").status == 200
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)
