"""server_process: errors at the start, the state without Docker Engine, restarts with other settings."""

from __future__ import annotations

import dataclasses
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from claude_local.build import build_folder
from claude_local.build.render import render
from claude_local.foundation.errors import UserError
from claude_local.lifecycle import journal
from claude_local.lifecycle.transaction import Journal
from claude_local.machine.settings import Settings, load_settings
from claude_local.management import server_process
from claude_local.management.operations import Operations
from claude_local.profiles.load import load_profiles
from support.api_client import Served, request
from support.machine import ROOT, Machine, error_of


def test_a_port_in_use_is_reported_with_its_holder(machine: Machine) -> None:
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


def test_serve_fails_if_the_api_is_switched_off(machine: Machine) -> None:
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


def test_without_docker_engine_the_state_is_failed(machine: Machine) -> None:
    machine.extra["DOCKER_HOST"] = f"unix://{machine.home}/no-docker.sock"
    settings = load_settings(machine.environment, machine.checkout, user_id=0, group_id=0)
    journal.write(settings, Journal(engine="docker", serving="demo"))

    status = machine.status()

    facts = {name: status[name] for name in ("state", "engine", "reason")}
    assert facts == {"state": "failed", "engine": "docker", "reason": "Docker Engine does not answer"}


def test_a_terminated_server_ends_cleanly(tmp_path: Path) -> None:
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


def test_the_module_without_arguments_prints_its_usage(machine: Machine) -> None:
    environment = {**machine.environment, "PYTHONPATH": str(ROOT / "scripts")}
    done = machine.run([sys.executable, "-m", "claude_local"], env=environment)

    assert (done.returncode, done.stderr) == (1, "usage: python -m claude_local serve CHECKOUT STATE_DIR\n")


@pytest.fixture
def settings(machine: Machine) -> Iterator[Settings]:
    """A machine's settings; its management API is stopped after the test."""
    own = load_settings(machine.environment, machine.checkout, user_id=0, group_id=0)
    yield own
    server_process.stop(own)


def server_of(settings: Settings) -> int:
    """The process of the management API."""
    return int(json.loads((settings.state_dir / "management" / "process.json").read_text())["pid"])


def test_a_server_with_other_settings_is_restarted_with_the_new_ones(settings: Settings) -> None:
    server_process.start(settings)
    first = server_of(settings)
    server_process.start(settings)
    same = server_of(settings)
    server_process.start(dataclasses.replace(settings, sandbox="bash"))

    assert (same == first, server_of(settings) == first, server_process.is_running(settings)) == (
        True,
        False,
        True,
    )


def test_the_server_is_started_with_one_heap_for_all_its_threads(settings: Settings) -> None:
    server_process.start(settings)

    environment = psutil.Process(server_of(settings)).environ()
    assert {name: environment.get(name) for name in server_process.ONE_HEAP} == server_process.ONE_HEAP


def test_a_server_in_a_terminal_keeps_running(machine: Machine, settings: Settings) -> None:
    with machine.start("serve") as served:
        while not server_process.is_running(settings):
            assert served.poll() is None
        server_process.start(dataclasses.replace(settings, sandbox="bash"))

        assert server_of(settings) == served.pid
        served.terminate()
        served.communicate()


def test_operations_keep_the_settings_of_the_last_render(settings: Settings) -> None:
    wanted = dataclasses.replace(settings, sandbox="container", jail_switching=False)
    profiles = load_profiles(settings.profiles_dir)
    build_folder.apply(build_folder.plan(render(wanted, profiles), settings.build_dir), settings.build_dir)

    with pytest.raises(UserError, match="there is nothing to restart"):
        Operations(settings).restart().wait(until_done=True)

    assert build_folder.plan(render(wanted, profiles), settings.build_dir) == []


@pytest.mark.parametrize("content", [None, "{", "[]", '{"environment": {"CLAUDE_LOCAL_LLAMA_PORT": "x"}}'])
def test_without_a_valid_render_operations_use_their_own_settings(
    settings: Settings, content: str | None
) -> None:
    settings.build_dir.mkdir(exist_ok=True)
    if content is not None:
        (settings.build_dir / "settings.json").write_text(content)

    assert build_folder.last_settings(settings) == settings
