"""A server run by another user: claude-local uses it but does not start, switch or stop it."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from support.machine import Machine, error_of

UP = ["up", "--model", "demo"]


@pytest.fixture
def other_user(machine: Machine, tmp_path: Path) -> Machine:
    """Another user of this machine, who uses the first user's server."""
    machine.invoke_ok("demo-model")
    machine.invoke_ok(*UP, "--engine", "embedded")
    home = tmp_path / "other-user"
    home.mkdir()
    key_file = machine.state_dir / "llama" / "api_key"
    extra = {"CLAUDE_LOCAL_EXTERNAL_URL": machine.url, "CLAUDE_LOCAL_EXTERNAL_KEY_FILE": str(key_file)}
    return Machine(machine.checkout, home, machine.port, "other-user", extra)


@pytest.mark.embedded
@pytest.mark.real_cli
def test_claude_local_works_on_the_server_of_another_user(other_user: Machine) -> None:
    up = other_user.invoke(*UP)
    answer = other_user.claude_local("-p", "hi")
    switch = other_user.invoke("switch", "--model", "demo")

    assert up.returncode == 0, up.stderr
    assert (answer.returncode, bool(answer.stdout.strip())) == (0, True), answer.stderr
    message, _ = error_of(switch)
    assert message == f"{other_user.url} is an external server: claude-local cannot switch its model"


@pytest.mark.embedded
def test_a_server_that_needs_a_key_is_an_error_that_says_how_to_set_it(other_user: Machine) -> None:
    del other_user.extra["CLAUDE_LOCAL_EXTERNAL_KEY_FILE"]

    message, hints = error_of(other_user.invoke(*UP))

    assert message == f"{other_user.url} refuses the API key"
    assert hints == ["put that server's key into a file and set CLAUDE_LOCAL_EXTERNAL_KEY_FILE to its path"]


def test_an_unreachable_server_is_an_error(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_EXTERNAL_URL"] = machine.url

    message, hints = error_of(machine.invoke(*UP))

    assert message == f"nothing answers on {machine.url}"
    assert hints == ["start that server, or correct CLAUDE_LOCAL_EXTERNAL_URL"]


@pytest.fixture
def web_server() -> Iterator[str]:
    """A server of another kind, which does not support POST."""
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_web_server_is_not_accepted_as_a_model_server(machine: Machine, web_server: str) -> None:
    machine.extra["CLAUDE_LOCAL_EXTERNAL_URL"] = web_server

    message, hints = error_of(machine.invoke(*UP))

    assert message == f"{web_server} does not speak /v1/messages (HTTP 501)"
    assert hints == ["Claude Code needs the Anthropic Messages API: use a newer server"]


def test_every_command_reports_a_missing_key_file(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_EXTERNAL_URL"] = machine.url
    machine.extra["CLAUDE_LOCAL_EXTERNAL_KEY_FILE"] = "/no/such/file"

    messages = {error_of(machine.invoke(*command))[0] for command in (UP, ["status"])}

    assert messages == {"the key file /no/such/file cannot be read: No such file or directory"}
