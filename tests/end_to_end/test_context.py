"""A session gets the context of its server, and compacts before it is full."""

from __future__ import annotations

import json

import pytest

from support.machine import Machine
from support.session import Session

pytestmark = pytest.mark.real_cli
BOTH_CLIENTS = pytest.mark.parametrize("client", ["new", "old"])
JSON = ["--output-format", "json"]


def start(machine: Machine, name: str = "demo", engine: str = "embedded") -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", name, "--engine", engine)


def add_with_context(machine: Machine, tokens: int) -> None:
    machine.add_demo("sized", seed=7)
    file = machine.checkout / "profiles" / "sized.yaml"
    file.write_text(file.read_text().replace("ctx_size: 65536", f"ctx_size: {tokens}"))


@pytest.mark.embedded
@BOTH_CLIENTS
def test_claude_code_gets_the_context_of_the_server(machine: Machine, client: str) -> None:
    add_with_context(machine, 98304)
    start(machine, "sized")

    done = machine.claude_local("-p", "hi", *JSON, client=client)

    usage = json.loads(done.stdout)["modelUsage"]
    assert {name: facts["contextWindow"] for name, facts in usage.items()} == {"local-llama": 98304}


@pytest.mark.embedded
def test_a_context_below_32k_is_refused_with_the_line_to_change(machine: Machine) -> None:
    add_with_context(machine, 16384)
    start(machine, "sized")

    done = machine.claude_local("-p", "hi")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "claude-local: the model has a context of 16384 tokens; Claude Code needs 32768",
        "claude-local: set server/ctx_size in profiles/sized.yaml to 65536 or more and start it again",
    ]


@pytest.mark.embedded
def test_a_context_below_64k_uses_the_lean_tools_with_a_warning(machine: Machine) -> None:
    add_with_context(machine, 40960)
    start(machine, "sized")

    done = machine.claude_local("--full", "-p", "hi")

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == (
        "claude-local: the context is small (40960 tokens): only the lean tools, and early compaction; "
        "to change this, raise server/ctx_size in profiles/sized.yaml"
    )


@pytest.mark.timeout(900)  # it fills a context of 40,960 tokens, as fast as the CPU is free
@pytest.mark.embedded
@BOTH_CLIENTS
def test_a_session_past_its_window_compacts_and_continues(machine: Machine, client: str) -> None:
    add_with_context(machine, 40960)
    start(machine, "sized")
    long_text = "the attribute of the class is the value of the module " * 200
    session = Session(machine, client)

    results = [session.ask(long_text)[1] for _ in range(12)]
    code = session.close()

    compacted = [event for event in session.events if event.get("subtype") == "compact_boundary"]
    assert compacted
    assert [result["is_error"] for result in results] == [False] * 12
    assert code == 0
