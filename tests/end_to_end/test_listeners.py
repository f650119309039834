"""A start beside a foreign, half-started or other user's server gives it neither key nor prompt."""

from __future__ import annotations

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from claude_local.checks.verify.recorder import Recorder
from support.machine import Machine

pytestmark = pytest.mark.real_cli


def start(machine: Machine, name: str = "demo", engine: str = "embedded") -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", name, "--engine", engine)


def test_a_foreign_server_on_our_port_gets_neither_key_nor_prompt(machine: Machine) -> None:
    with Recorder() as foreign:
        machine.port = foreign.port
        machine.invoke_ok("render")
        key_file = machine.state_dir / "llama" / "api_key"
        key_file.parent.mkdir(parents=True)
        key_file.write_text("the-secret-key")

        done = machine.claude_local("-p", "hi")

    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[0]
        == f"claude-local: the server on {foreign.url} is not ours: it does not ask for a key"
    )
    assert not any("the-secret-key" in request.raw for request in foreign.requests)
    assert foreign.messages() == []


UNKNOWN_CONTEXT = "claude-local: the server does not report the context size of its model"
SMALL = "claude-local: the model has a context of 100 tokens"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [([500, 503, 200], SMALL), ([400], UNKNOWN_CONTEXT), ([500] * 5, UNKNOWN_CONTEXT)],
    ids=["in a switch", "refused", "never loaded"],
)
def test_a_start_in_the_middle_of_a_switch_waits_for_the_new_model(
    machine: Machine, answers: list[int], expected: str
) -> None:
    """A request that arrives while the old model is unloaded gets 500 (seen on build 11669)."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = 200, '{"data":[{"id":"one","aliases":["local-llama"]}]}'
            if self.headers["Authorization"] != "Bearer the-secret-key":
                status = 401
            elif self.path.startswith("/props"):
                status, body = left.pop(0), '{"n_ctx":100}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write((body if status == 200 else " " * len(body)).encode())

        def log_message(self, format: str, *arguments: object) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        machine.port = int(server.server_address[1])
        machine.invoke_ok("render")
        key_file = machine.state_dir / "llama" / "api_key"
        key_file.parent.mkdir(parents=True)
        key_file.write_text("the-secret-key")

        done = machine.claude_local("-p", "hi")
        server.shutdown()

    assert done.returncode == 1
    assert done.stderr.startswith(expected), done.stderr
    assert left == []


LISTENERS = {
    "127.0.0.1": ("AF_INET", "127.0.0.1"),
    "every address": ("AF_INET", "0.0.0.0"),
    "both families": ("AF_INET6", "::"),
    "the mapped form": ("AF_INET6", "::ffff:127.0.0.1"),
    "every address in the mapped form": ("AF_INET6", "::ffff:0.0.0.0"),
}
LISTEN = """
import socket, sys
listener = socket.socket(getattr(socket, sys.argv[1]))
if listener.family == socket.AF_INET6:
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
listener.bind((sys.argv[2], int(sys.argv[3])))
listener.listen()
print("ready", flush=True)
connection, _ = listener.accept()
print(connection.recv(1000), flush=True)
"""


def ask_beside_another(
    machine: Machine, family: str, address: str, *, folder: Path | None
) -> tuple[str, str]:
    """The wrapper's first line while another user listens, and the requests that user got. `folder`: without ss."""
    machine.invoke_ok("render")
    if folder:
        (folder / "ss").write_text("#!/bin/sh\nexit 1\n")
        (folder / "ss").chmod(0o755)
        machine.extra["PATH"] = f"{folder}:{machine.environment['PATH']}"
    as_another = ["setpriv", "--reuid", "65534", "--clear-groups", "/usr/bin/env", "python3", "-c", LISTEN]
    argv = [*as_another, family, address, str(machine.port)]
    environment = {"PATH": "/usr/bin:/bin"}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd="/", env=environment, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "ready\n"
        done = machine.claude_local("-p", "hi")
        other.terminate()
        asked = other.stdout.read()
    assert done.returncode == 1
    return done.stderr.splitlines()[0], asked


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")
@pytest.mark.parametrize("where", LISTENERS)
@pytest.mark.parametrize("has_ss", [True, False])
def test_a_server_of_another_user_gets_no_request(
    machine: Machine, tmp_path: Path, where: str, has_ss: bool
) -> None:
    shown, asked = ask_beside_another(machine, *LISTENERS[where], folder=None if has_ss else tmp_path)

    assert (
        shown == f"claude-local: another user's program listens on {machine.url}: it could read your prompts"
    )
    assert asked == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")
@pytest.mark.parametrize("has_ss", [True, False])
def test_a_server_of_another_user_on_another_address_is_ignored(
    machine: Machine, tmp_path: Path, has_ss: bool
) -> None:
    shown, asked = ask_beside_another(machine, "AF_INET", "127.0.0.2", folder=None if has_ss else tmp_path)

    assert shown == f"claude-local: nothing answers on {machine.url}"
    assert asked == ""
