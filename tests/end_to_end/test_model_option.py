"""The options --model and --start, and models that do not load, with the real Claude Code."""

from __future__ import annotations

import json
import subprocess

import pytest

from claude_local.server.llama_http import LlamaHttp
from claude_local.server.router import Router
from support.machine import Machine
from support.terminal import Terminal

pytestmark = pytest.mark.real_cli
JSON = ["--output-format", "json"]


def start(machine: Machine, name: str = "demo", engine: str = "embedded") -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", name, "--engine", engine)


@pytest.mark.docker
def test_the_model_option_switches_before_the_session_and_start_starts(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)
    machine.invoke_ok("render")
    (machine.state_dir / "llama").mkdir(parents=True)

    started = machine.claude_local("--start", "demo", "-p", "hi")
    first = machine.status()["profile"]
    switched = machine.claude_local("--model", "second", "-p", "hi")

    assert started.returncode == 0, started.stderr
    assert switched.returncode == 0, switched.stderr
    assert (first, machine.status()["profile"]) == ("demo", "second")


@pytest.mark.embedded
def test_the_model_option_starts_the_model_if_no_model_is_running(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.extra["CLAUDE_LOCAL_ENGINE"] = "embedded"
    machine.invoke_ok("render")

    done = machine.claude_local("--model", "demo", "-p", "hi")

    assert done.returncode == 0, done.stderr
    assert machine.status()["profile"] == "demo"


@pytest.mark.embedded
def test_start_uses_the_engine_of_the_environment(machine: Machine) -> None:
    """Docker is available, too, and would be the automatic choice."""
    machine.invoke_ok("demo-model")
    machine.invoke_ok("render")
    machine.extra["CLAUDE_LOCAL_ENGINE"] = "embedded"

    done = machine.claude_local("--start", "demo", "-p", "hi")

    assert (done.returncode, machine.status()["engine"]) == (0, "embedded"), done.stderr
    assert "have no effect yet" not in done.stderr


@pytest.mark.docker
def test_a_model_that_cannot_load_is_reported_in_seconds(machine: Machine) -> None:
    machine.add_demo("broken", seed=3)
    file = machine.checkout / "models" / "broken.gguf"
    file.write_bytes(file.read_bytes()[:200_000])
    start(machine, engine="docker")
    workspace = machine.home / "workspace"
    workspace.mkdir()

    done = subprocess.run(
        machine.claude_argv("-p", "hi", "--model", "broken", *JSON),
        cwd=workspace,
        env=machine.claude_environment("new"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,  # without our retry limit it takes three minutes
        check=False,
    )

    result = json.loads(done.stdout)
    assert (result["is_error"], done.returncode) == (True, 1)
    assert "failed to load" in result["result"]


@pytest.mark.docker
def test_a_start_tries_a_model_that_cannot_be_loaded_only_once(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_MANAGEMENT_PORT"] = "off"  # it would restart the failed model
    start(machine, engine="docker")
    file = machine.checkout / "models" / "demo.gguf"
    file.write_bytes(file.read_bytes()[:200_000])
    Router(LlamaHttp(machine.url, machine.key)).unload_all()

    def loads() -> int:
        return machine.invoke_ok("logs", "--tail", "1000").count("spawning server instance with name=")

    before = loads()
    done = machine.claude_local("-p", "hi")

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "claude-local: the model `demo` cannot be loaded"
    assert loads() == before + 1


# Family and address with which another user can listen on a port of 127.0.0.1.


@pytest.mark.embedded
@pytest.mark.tools
def test_without_a_server_a_model_can_be_chosen_and_the_session_starts(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.extra["CLAUDE_LOCAL_ENGINE"] = "embedded"
    machine.invoke_ok("render")
    workspace = machine.home / "workspace"
    workspace.mkdir()
    with Terminal(columns=120, rows=40) as terminal:
        argv = machine.claude_argv("-p", "hi")
        terminal.run(argv, env=machine.claude_environment("new"), cwd=workspace)
        terminal.wait_for("no model is running; choose one to start")
        terminal.wait_for("»")
        terminal.keys("Enter")
        terminal.wait_for("exit code: 0")

    assert machine.status()["profile"] == "demo"
