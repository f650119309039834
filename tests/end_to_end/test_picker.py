"""The model picker in the terminal."""

from __future__ import annotations

import sys

import pytest

from support.machine import Machine
from support.terminal import Terminal

UP = [sys.executable, "-m", "invoke", "up", "--detach", "--engine", "embedded"]


@pytest.mark.embedded
@pytest.mark.tools
def test_arrows_and_enter_choose_a_model(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.add_demo("a-first", seed=2)
    with Terminal() as terminal:
        terminal.run(UP, env=machine.environment, cwd=machine.checkout)
        screen = terminal.wait_for("Which model?")
        terminal.keys("Down")
        terminal.wait_for("»   demo")
        terminal.keys("Enter")
        terminal.wait_for("exit code: 0")

    assert "a-first" in screen
    assert "Answers nonsense" in screen
    assert machine.status()["profile"] == "demo"


@pytest.mark.tools
def test_leaving_the_picker_starts_nothing(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    with Terminal() as terminal:
        terminal.run(UP, env=machine.environment, cwd=machine.checkout)
        terminal.wait_for("Which model?")
        terminal.keys("C-c")
        screen = terminal.wait_for("exit code: 130")

    assert "interrupted" in screen
    assert machine.status()["state"] == "stopped"


@pytest.mark.embedded
@pytest.mark.tools
def test_a_plain_terminal_gets_numbers(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.add_demo("a-first", seed=2)
    with Terminal(columns=160) as terminal:
        terminal.run(UP, env={**machine.environment, "TERM": "dumb"}, cwd=machine.checkout)
        screen = terminal.wait_for("number:")
        terminal.keys("2", "Enter")
        terminal.wait_for("exit code: 0")

    assert "  1    a-first" in screen
    assert "Which model? (↓ not downloaded yet) number:" in screen
    assert "↓ small" in screen
    assert machine.status()["profile"] == "demo"


@pytest.mark.tools
def test_an_invalid_number_is_refused(machine: Machine) -> None:
    with Terminal(columns=160) as terminal:
        terminal.run(UP, env={**machine.environment, "TERM": "dumb"}, cwd=machine.checkout)
        terminal.wait_for("number:")
        terminal.keys("x", "Enter")
        screen = terminal.wait_for("exit code: 1")

    assert "error: `x` is not a number from 1 to " in screen
