"""The generated wrapper with the real Claude Code and the real server."""

from __future__ import annotations

import json
import sys

import pytest

from claude_local.checks.verify.recorder import Recorder
from support.machine import Machine
from support.session import enter
from support.terminal import Terminal

pytestmark = pytest.mark.real_cli
BOTH_CLIENTS = pytest.mark.parametrize("client", ["new", "old"])


def start(machine: Machine, name: str = "demo", engine: str = "embedded") -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", name, "--engine", engine)


def test_the_wrapper_proves_its_isolation(machine: Machine) -> None:
    machine.invoke_ok("render")

    done = machine.claude_local("verify")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "leak" not in done.stdout.lower().replace("no leak", "")


def test_the_wrapper_reports_the_same_state_as_invoke(machine: Machine) -> None:
    machine.invoke_ok("render")
    task = [sys.executable, "-m", "invoke", "doctor", "--json"]

    done = machine.claude_local("doctor", "--json")

    expected = machine.run(task, env=machine.claude_environment("new"))
    found, wanted = (
        [(check["name"], check["level"]) for check in json.loads(each.stdout)["checks"]]
        for each in (done, expected)
    )
    assert (done.returncode, found) == (expected.returncode, wanted), done.stderr


@BOTH_CLIENTS
def test_requests_from_all_folders_begin_alike_and_no_others_are_sent(machine: Machine, client: str) -> None:
    with Recorder() as recorder:
        machine.extra["CLAUDE_LOCAL_EXTERNAL_URL"] = recorder.url
        machine.invoke_ok("render")
        systems = []
        for folder in ("one", "another"):
            workspace = machine.home / folder
            workspace.mkdir()
            environment = machine.claude_environment(client)
            machine.run(machine.claude_argv("-p", f"hi from {folder}"), env=environment, cwd=workspace)
            systems.append(recorder.messages()[-1]["system"])

    assert len(recorder.messages()) == 2  # no title, no second model
    assert systems[0] == systems[1]  # no folder, no header that changes with the prompt
    assert {message["model"] for message in recorder.messages()} == {"local-llama"}


@pytest.mark.embedded
@pytest.mark.tools
@BOTH_CLIENTS
def test_the_screen_follows_the_size_of_the_terminal(machine: Machine, client: str) -> None:
    start(machine)
    with Terminal(columns=120, rows=40) as terminal:
        enter(terminal, machine, client)
        before = terminal.screen()
        terminal.resize(columns=90, rows=30)
        terminal.wait_for("\n" + "─" * 90 + "\n")
        terminal.press_until("C-c", "exit code: 0")

    assert "─" * 120 in before
