"""Switching the model inside a session: the picker and the skill."""

from __future__ import annotations

import pytest

from claude_local.server.llama_http import LlamaHttp
from support.machine import Machine
from support.session import enter
from support.terminal import Terminal

pytestmark = pytest.mark.real_cli
BOTH_CLIENTS = pytest.mark.parametrize("client", ["new", "old"])


def start(machine: Machine, name: str = "demo", engine: str = "embedded") -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", name, "--engine", engine)


@pytest.mark.docker
@pytest.mark.tools
@BOTH_CLIENTS
def test_the_model_picker_lists_the_profiles_and_the_chosen_one_answers(
    machine: Machine, client: str
) -> None:
    machine.add_demo("second", seed=2)
    start(machine, engine="docker")
    http = LlamaHttp(machine.url, machine.key)
    with Terminal(columns=120, rows=40) as terminal:
        enter(terminal, machine, client)
        before = terminal.screen()
        terminal.keys("-l", "/model")
        terminal.wait_for("/model")
        terminal.keys("Enter")
        listed = terminal.wait_for("second")
        terminal.press_until("Down", next_line_of("second", listed))
        terminal.keys("s")  # for this session only
        terminal.wait_for("Set model to")
        terminal.keys("-l", "hello there")
        terminal.wait_for("hello there")
        terminal.keys("Enter")
        terminal.wait_for("second · context")
        terminal.wait_for("tokens/s")
        loaded = {model["id"]: model["status"]["value"] for model in http.get("/models")["data"]}
        terminal.keys("C-c")
        terminal.press_until("C-c", "exit code: 0")

    assert "auto mode" not in before
    assert [line.split()[1] for line in listed.splitlines() if "From gateway" in line] == ["demo", "second"]
    assert (loaded["demo"], loaded["second"]) == ("unloaded", "loaded")


def next_line_of(name: str, screen: str) -> str:
    """The picker's line for `name` with the cursor on it."""
    line = next(line for line in screen.splitlines() if "From gateway" in line and f" {name} " in line)
    return "❯ " + " ".join(line.split()[:2])


@pytest.mark.docker
@BOTH_CLIENTS
def test_the_skill_switches_the_model_inside_a_session(machine: Machine, client: str) -> None:
    machine.add_demo("second", seed=2)
    start(machine, engine="docker")
    machine.invoke_ok("install-claude-local")

    done = machine.claude_local("-p", "/switch-model second", client=client)

    assert done.returncode == 0, done.stderr
    assert machine.status()["profile"] == "second"
