"""Sessions of the real Claude Code that continue over many switches without losing a message."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.api_client import Api
from support.machine import Machine
from support.session import Session, enter
from support.terminal import Terminal

SWITCHES = 20
NAMES = ("second", "demo")
DELAYS_SECONDS = [number / 100 for number in range(0, 24, 2)]


def said(machine: Machine) -> list[str]:
    """The user's messages so far, in order, from the session's own record on disk."""
    lines = [
        json.loads(line)
        for file in sorted(machine.home.rglob("projects/*/*.jsonl"))
        for line in file.read_text().splitlines()
    ]
    texts = [line["message"]["content"] for line in lines if line.get("type") == "user"]
    return [text if isinstance(text, str) else text[0].get("text", "") for text in texts]


def serve_two(machine: Machine) -> Api:
    machine.invoke_ok("demo-model")
    machine.add_demo("second", seed=2)
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")
    return Api(machine.management_port)


@pytest.mark.real_cli
@pytest.mark.docker
@pytest.mark.timeout(1200)
def test_a_headless_session_survives_twenty_switches(machine: Machine) -> None:
    api = serve_two(machine)
    session = Session(machine, "new")
    answered, results = [], []

    for number in range(SWITCHES):
        name = NAMES[number % 2]
        assert api.post("/switch", {"model": name}).json()["outcome"] == "switched"
        models, result = session.ask(f"question {number}")
        answered.append(models)
        results.append((result["is_error"], result["session_id"]))

    assert session.close() == 0
    assert answered == [{NAMES[number % 2]} for number in range(SWITCHES)]
    assert results == [(False, results[0][1])] * SWITCHES
    assert [text for text in said(machine) if text.startswith("question ")] == [
        f"question {number}" for number in range(SWITCHES)
    ]


@pytest.mark.real_cli
@pytest.mark.docker
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("client", ["new", "old"])
def test_questions_during_a_switch_are_answered(machine: Machine, client: str) -> None:
    """Before, during or after it: by the old model or the new one, if necessary after a retry."""
    api = serve_two(machine)
    session = Session(machine, client)
    session.ask("the first one")
    results, outcomes = [], []

    for number, delay in enumerate(DELAYS_SECONDS):
        body = {"model": NAMES[number % 2]}
        with ThreadPoolExecutor() as pool:
            switched = pool.submit(api.post, "/switch", body)
            time.sleep(delay)
            results.append(session.ask(f"question {number}")[1])
        answer = switched.result().json()
        outcomes.append(answer.get("outcome", answer))

    assert session.close() == 0
    assert [result["result"] for result in results if result["is_error"]] == []
    assert {result["session_id"] for result in results} == {results[0]["session_id"]}
    assert outcomes == ["switched"] * len(DELAYS_SECONDS)
    assert [text for text in said(machine) if text.startswith("question ")] == [
        f"question {number}" for number in range(len(DELAYS_SECONDS))
    ]


@pytest.mark.real_cli
@pytest.mark.docker
@pytest.mark.tools
@pytest.mark.timeout(1200)
def test_a_terminal_session_survives_twenty_switches(machine: Machine) -> None:
    api = serve_two(machine)
    with Terminal() as terminal:
        enter(terminal, machine, "new")
        for number in range(SWITCHES):
            assert api.post("/switch", {"model": NAMES[number % 2]}).json()["outcome"] == "switched"
            terminal.keys("-l", f"question {number}")
            terminal.wait_for(f"question {number}")
            terminal.keys("Enter")
            wait_for_answers(machine, number + 1)

    assert [text for text in said(machine) if text.startswith("question ")] == [
        f"question {number}" for number in range(SWITCHES)
    ]


def wait_for_answers(machine: Machine, count: int) -> None:
    """Waits until `count` questions are answered in the session's record."""
    deadline = time.monotonic() + 240
    while (found := answers(machine.home)) < count:
        assert time.monotonic() < deadline, f"{found} of {count} answers"
        time.sleep(0.1)


def answers(home: Path) -> int:
    """Turns with an answer: an assistant's message after a question of the user."""
    count, is_open = 0, False
    for file in home.rglob("projects/*/*.jsonl"):
        for line in file.read_text().splitlines():
            kind = json.loads(line).get("type")
            count += kind == "assistant" and is_open
            is_open = kind == "user" or (is_open and kind != "assistant")
    return count
