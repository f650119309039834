"""The only way out of the jail, attacked over its socket: which requests get through, and with which headers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from claude_local.build.render import render
from claude_local.checks.verify.recorder import Recorder
from claude_local.machine.settings import load_settings
from support.machine import ROOT

KEY = "the-key-of-the-server"
HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin:/bin") or ""
MESSAGE = b'{"model":"local-llama","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}'


@dataclass
class Door:
    """A running door, the model server behind it, and the management server beside it."""

    socket_file: Path
    model: Recorder
    process: subprocess.Popen[bytes]

    def send(self, raw: bytes, *, timeout_seconds: float = 20, end: bool = False) -> bytes:
        """Everything that the door answers until it hangs up or `timeout_seconds` pass. `end`: closes our side."""
        with self.connect(timeout_seconds) as connection:
            connection.sendall(raw)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return _read_all(connection)

    def connect(self, timeout_seconds: float = 20) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout_seconds)
        # The path may be longer than the 107 bytes of a socket address.
        folder = os.open(self.socket_file.parent, os.O_PATH)
        connection.connect(f"/proc/self/fd/{folder}/{self.socket_file.name}")
        os.close(folder)
        return connection

    def status_of(self, method: str, path: str, headers: str = "", body: bytes = b"") -> int:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return status_in(self.send(head.encode() + b"\r\n" + body))


def _read_all(connection: socket.socket) -> bytes:
    pieces = []
    try:
        while piece := connection.recv(65536):
            pieces.append(piece)
    except (TimeoutError, ConnectionResetError):
        pass
    return b"".join(pieces)


def status_in(answer: bytes) -> int:
    """The status of an answer; 0 if the connection was closed without an answer."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


def open_door(folder: Path, model: Recorder, *, switching: str) -> Door:
    """Starts a door to `model` as the wrapper does, with the rendered configuration."""
    environment = {"HOME": "/home/me", "CLAUDE_LOCAL_EXTERNAL_URL": model.url}
    settings = load_settings(environment, ROOT, user_id=1000, group_id=1000)
    files = {str(file.path): file.text for file in render(settings, {})}
    (folder / "door").mkdir(parents=True)
    (folder / "door.cfg").write_text(files["jail/door.cfg"])
    process = subprocess.Popen(
        [HAPROXY, "-db", "-f", "door.cfg"],
        cwd=folder,
        env={"DOOR_KEY": KEY, "DOOR_SWITCHING": switching},
        stderr=subprocess.DEVNULL,
    )
    opened = Door(folder / "door" / "llama.sock", model, process)
    while not opened.socket_file.exists():
        assert process.poll() is None
        time.sleep(0.01)
    return opened


@pytest.fixture(scope="module")
def one_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with Recorder() as model:
        opened = open_door(tmp_path_factory.mktemp("record"), model, switching="yes")
        yield opened
        opened.process.terminate()
        opened.process.wait(10)


@pytest.fixture
def door(one_door: Door) -> Door:
    """The same door for every test; the recorded requests of the model server are cleared."""
    assert one_door.process.poll() is None
    one_door.model.requests.clear()
    return one_door


def test_the_requests_of_claude_code_get_through_with_the_key_of_the_door(door: Door) -> None:
    statuses = [
        door.status_of("POST", "/v1/messages?beta=true", body=MESSAGE),
        door.status_of("POST", "/v1/messages/count_tokens", body=MESSAGE),
        door.status_of("GET", "/v1/models"),
        door.status_of("HEAD", "/"),
    ]

    assert 403 not in statuses
    assert statuses[0] == 200
    assert len(door.model.requests) == 4
    for request in door.model.requests:
        assert f"Bearer {KEY}" in request.raw
    assert KEY not in door.send(b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").decode()


SMUGGLED = b"GET /slots HTTP/1.1\r\nHost: x\r\n\r\n"

REFUSED_PATHS = [
    "/slots", "/props", "/metrics", "/completion", "/completions", "/v1/completions", "/v1/chat/completions",
    "/models", "/models/load", "/models/unload", "/v1/models/", "/v1/models/x", "/v1/messages/", "/v1//messages",
    "//v1/messages", "/v1/messages/../../slots", "/v1/messages/..%2f..%2fslots", "/v1/models%2f..%2f..%2fslots",
    "/v1/%6dessages", "/V1/MESSAGES", "/v1/messages;x=1", "/v1/messages%00", "/v1/messages%20", "/tokenize",
    "/lora-adapters", "/slots/0?action=save", "/infill", "/embedding", "/rerank", "/apply-template",
    "/claude-local/status", "/claude-local/stop", "/claude-local/", "/claude-local/models/../stop",
    "/claude-local/%73witch", "/status", "/stop", "/switch", "/health", "/v1/health", "*", "/.",
]  # fmt: skip


@pytest.mark.parametrize("path", REFUSED_PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_other_path_gets_through(door: Door, method: str, path: str) -> None:
    status = door.status_of(method, path, body=MESSAGE if method == "POST" else b"")

    assert status in (400, 403)
    assert door.model.requests == []


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "GETT", "get", "PRI"]
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/models", "/"])
def test_no_other_method_gets_through(door: Door, method: str, path: str) -> None:
    assert door.status_of(method, path) in (400, 403, 405, 501)
    assert door.model.requests == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/messages"), ("POST", "/v1/models"), ("POST", "/"), ("GET", "/"), ("HEAD", "/v1/models")],
)
def test_a_path_is_allowed_with_its_own_method_only(door: Door, method: str, path: str) -> None:
    assert door.status_of(method, path, body=MESSAGE if method == "POST" else b"") == 403
    assert door.model.requests == []


HOSTILE = {
    "an address with a host": b"GET http://127.0.0.1:1/slots HTTP/1.1\r\nHost: x\r\n\r\n",
    "an allowed address with a host": b"GET http://127.0.0.1:1/v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
    "two lengths": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n"
    + SMUGGLED,
    "chunks in disguise": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "a negative length": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a length in words": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
    "a length with a plus": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
    "a broken chunk": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "a header with a space": b"GET /v1/models HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n",
    "a zero byte": b"GET /v1/models\x00/slots HTTP/1.1\r\nHost: x\r\n\r\n",
    "a line end in the path": b"GET /v1/models\r/slots HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /slots\r\n\r\n",
    "an old version": b"GET /slots HTTP/0.9\r\n\r\n",
    "a new version": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 64,
    "nothing but line ends": b"\r\n" * 64,
    "a header without a colon": b"GET /v1/models HTTP/1.1\r\nHost x\r\n\r\n",
    "headers without end": b"GET /v1/models HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    "one endless header": b"GET /v1/models HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    "an endless path": b"GET /" + b"v" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces": b"GET  /slots  HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tab for a space": b"GET\t/slots\tHTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_malformed_request_does_not_reach_the_model_server(door: Door, name: str) -> None:
    answer = door.send(HOSTILE[name], end=True)

    assert status_in(answer) in (0, 400, 403, 405, 408, 414, 431, 501)
    assert not any("/slots" in request.raw for request in door.model.requests)
    assert door.status_of("POST", "/v1/messages", body=MESSAGE) == 200  # it still serves


def test_a_request_behind_another_is_checked_separately(door: Door) -> None:
    first = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(MESSAGE), MESSAGE)

    answer = door.send(first + SMUGGLED, timeout_seconds=1)

    assert [request.path for request in door.model.requests] == ["/v1/messages"]
    assert answer.count(b"HTTP/1.1 403") == 1


def test_chunks_win_over_a_length_and_the_rest_is_a_separate_request(
    door: Door,
) -> None:
    both = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = door.send(both + b"0\r\n\r\n" + SMUGGLED, timeout_seconds=1)

    assert [request.path for request in door.model.requests] == ["/v1/messages"]
    assert "Content-Length: 4" not in door.model.requests[0].raw
    assert answer.count(b"HTTP/1.1 200") == 1


def test_a_folded_header_is_one_header(door: Door) -> None:
    folded = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: a\r\n GET: /slots\r\n\r\n"

    door.send(folded)

    assert [(request.path, request.headers["x"]) for request in door.model.requests] == [
        ("/v1/models", "a   GET: /slots")
    ]


def test_a_body_that_looks_like_a_request_stays_a_body(door: Door) -> None:
    body = b'{"messages":[],"x":"' + SMUGGLED.replace(b"\r\n", b" ") + b'"}'

    door.status_of("POST", "/v1/messages", body=body)

    assert [request.path for request in door.model.requests] == ["/v1/messages"]


FORGED = [
    "Authorization",
    "X-Api-Key",
    "Cookie",
    "Origin",
    "Referer",
    "Proxy-Authorization",
    "Forwarded",
    "X-Forwarded-For",
]


@pytest.mark.parametrize("header", FORGED)
def test_no_header_that_identifies_the_sender_gets_through(door: Door, header: str) -> None:
    door.status_of("POST", "/v1/messages", f"{header}: forged\r\n{header.lower()}: forged too\r\n", MESSAGE)

    (request,) = door.model.requests
    assert "forged" not in request.raw
    assert request.raw.count(KEY) == 1


def test_the_host_header_is_that_of_the_server(door: Door) -> None:
    raw = b"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"

    door.send(raw)

    assert "evil.example" not in door.model.requests[0].raw


def test_no_protocol_upgrade_gets_through(door: Door) -> None:
    door.status_of("GET", "/v1/models", "Upgrade: websocket\r\nConnection: Upgrade\r\n")

    assert not any("websocket" in request.raw for request in door.model.requests)


def test_slow_clients_do_not_block_others(door: Door) -> None:
    slow = [door.connect() for _ in range(20)]
    for connection in slow:
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nHost")
    answers: list[int] = []
    others = [
        threading.Thread(target=lambda: answers.append(door.status_of("POST", "/v1/messages", body=MESSAGE)))
        for _ in range(5)
    ]
    for other in others:
        other.start()
    for other in others:
        other.join(9)  # before the door closes the slow connections

    assert answers == [200] * 5
    for connection in slow:
        connection.close()


def test_an_endless_request_is_closed(door: Door) -> None:
    answer = door.send(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n", timeout_seconds=30)

    assert status_in(answer) == 408


def test_an_answer_is_passed_on_piece_by_piece(door: Door) -> None:
    body = MESSAGE.replace(b'"max_tokens"', b'"stream":true,"max_tokens"')
    head = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)

    answer = door.send(head + body, timeout_seconds=1)

    assert b"text/event-stream" in answer
    assert answer.count(b"event:") > 1


def test_without_switching_the_management_server_is_out_of_reach(tmp_path: Path) -> None:
    with Recorder() as model:
        door = open_door(tmp_path, model, switching="no")
        statuses = [
            door.status_of("GET", "/claude-local/models"),
            door.status_of("POST", "/claude-local/switch", body=b'{"model":"x"}'),
        ]
        door.process.terminate()
        door.process.wait(10)

    assert statuses == [403, 403]
