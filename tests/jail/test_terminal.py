"""Claude Code's screen inside the jail, at a real terminal: it behaves as without a jail."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from claude_local.checks.verify.recorder import Recorded, Recorder
from support.machine import Machine
from support.session import enter
from support.terminal import WAIT_SECONDS, Terminal

pytestmark = [pytest.mark.real_cli, pytest.mark.embedded, pytest.mark.tools]
# After Ctrl-C, the unanswered prompt is in the input line again.
ASK_AGAIN = re.compile(r"─\s*\n❯\sthink\s*\n─")
BOTH_CLIENTS = pytest.mark.parametrize("client", ["new", "old"])


@pytest.fixture
def started(machine: Machine) -> Machine:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", "embedded")
    return machine


def run_in_bash(terminal: Terminal, machine: Machine, option: str, script: str) -> Path:
    """Runs a script whose `$0` is the wrapper. Returns its workspace."""
    workspace = machine.home / "workspace"
    workspace.mkdir()
    argv = ["bash", option, script, *machine.claude_argv()]
    terminal.run(argv, env=machine.claude_environment("new"), cwd=workspace)
    return workspace


@BOTH_CLIENTS
def test_ctrl_z_gives_the_shell_back_and_fg_returns(started: Machine, client: str) -> None:
    with Terminal(columns=110, rows=30) as terminal:
        enter(terminal, started, client)
        terminal.press_until("C-z", "exit code: 147")  # stopped
        terminal.keys("-l", "clear; jobs; echo shell $((40 + 2))")
        terminal.keys("Enter")
        stopped = terminal.wait_for("shell 42")
        terminal.keys("-l", "clear; fg; echo back: $?")
        terminal.keys("Enter")
        terminal.wait_for("· jail")
        terminal.keys("-l", "hello again")
        terminal.wait_for("hello again")
        terminal.keys("Enter")
        terminal.wait_for("tokens/s")  # it was answered
        terminal.press_until("C-c", "back: 0")

    assert "Stopped" in stopped


@BOTH_CLIENTS
def test_ctrl_c_interrupts_an_answer_and_the_session_continues(machine: Machine, client: str) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def think(_request: Recorded) -> list[dict[str, Any]]:
        asked.set()
        may_answer.wait(WAIT_SECONDS)
        return [{"type": "text", "text": "at last"}]

    with Recorder(script=think) as model, Terminal(columns=110, rows=30) as terminal:
        machine.extra["CLAUDE_LOCAL_EXTERNAL_URL"] = model.url
        machine.invoke_ok("render")
        enter(terminal, machine, client)
        terminal.keys("-l", "think")
        terminal.wait_for("think")
        terminal.keys("Enter")
        assert asked.wait(WAIT_SECONDS), terminal.screen()
        terminal.keys("C-c")
        screen = terminal.wait_for_match(ASK_AGAIN)
        may_answer.set()
        terminal.press_until("C-c", "exit code: 0")

    assert "trust this folder" not in screen  # the first launch went straight to the prompt


def test_in_a_pipeline_the_terminal_is_not_taken_away(started: Machine) -> None:
    pipeline = 'printf hi | "$0" -p | cat; echo codes: ${PIPESTATUS[*]}'
    with Terminal(columns=110, rows=30) as terminal:
        run_in_bash(terminal, started, "-c", pipeline)
        terminal.wait_for("codes: 0 0 0")
        terminal.wait_for("exit code: 0")


def test_in_the_background_it_runs_to_its_end(started: Machine) -> None:
    script = '"$0" -p hi >answer 2>errors </dev/null & wait $!; echo background: $?'
    with Terminal(columns=110, rows=30) as terminal:
        workspace = run_in_bash(terminal, started, "-ic", script)
        terminal.wait_for("background: 0")

    assert (workspace / "answer").read_text().strip()
