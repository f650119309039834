"""management, lifecycle: what the server says when it cannot start, and what is true when Docker is gone."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from api_client import Served, request
from claude_local import journal
from claude_local.settings import load_settings
from claude_local.switch import Journal
from machine import ROOT, Machine, error_of


def test_a_port_that_is_taken_is_told_with_its_holder(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", machine.management_port)):
        message, hints = error_of(machine.invoke("serve"))

    assert message.startswith(f"port {machine.management_port} is in use by ")
    assert hints == ["end that program, or choose another port: CLAUDE_LOCAL_MANAGEMENT_PORT=8090"]


def test_the_port_is_checked_before_a_model_is_loaded(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    with socket.create_server(("127.0.0.1", machine.management_port)):
        message, _ = error_of(machine.invoke("up", "--model", "demo", "--engine", "embedded"))

    assert message.startswith(f"port {machine.management_port} is in use by ")
    assert machine.our_processes() == []


def test_what_is_switched_off_does_not_serve(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_MANAGEMENT_PORT"] = "off"

    message, _ = error_of(machine.invoke("serve"))

    assert message == "the management API is switched off: CLAUDE_LOCAL_MANAGEMENT_PORT=off"


@pytest.mark.parametrize(
    ("content", "expected"), [(None, "cannot be read: No such file or directory"), (" \n", "is empty")]
)
def test_a_token_file_without_a_token_is_refused(
    machine: Machine, content: str | None, expected: str
) -> None:
    token = machine.home / "token"
    if content is not None:
        token.write_text(content)
    machine.extra["CLAUDE_LOCAL_MANAGEMENT_TOKEN_FILE"] = str(token)

    message, _ = error_of(machine.invoke("serve"))

    assert message == f"the token file {token} {expected}"


def test_without_docker_engine_its_model_is_told_as_failed(machine: Machine) -> None:
    machine.extra["DOCKER_HOST"] = f"unix://{machine.home}/no-docker.sock"
    settings = load_settings(machine.environment, machine.checkout, user_id=0, group_id=0)
    journal.write(settings, Journal(engine="docker", serving="demo"))

    status = machine.status()

    facts = {name: status[name] for name in ("state", "engine", "reason")}
    assert facts == {"state": "failed", "engine": "docker", "reason": "Docker Engine does not answer"}


def test_a_server_that_is_told_to_end_ends_cleanly(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        record = tmp_path / "state" / "management" / "process.json"
        was_written = record.exists()
        listener = served.api.connect()
        listener.sendall(request("GET", "/events", served.api.port))
        listener.recv(100)
        served.process.terminate()
        code = served.process.wait(30)
        listener.close()

    assert (was_written, code, record.exists()) == (True, 0, False)
    assert served.log.read_text() == ""


def test_the_module_says_how_it_is_used(machine: Machine) -> None:
    environment = {**machine.environment, "PYTHONPATH": str(ROOT / "scripts")}
    done = machine.run([sys.executable, "-m", "claude_local"], env=environment)

    assert (done.returncode, done.stderr) == (1, "usage: python -m claude_local serve CHECKOUT STATE_DIR\n")
