"""`invoke prompt-size` with the real Claude Code."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from support.machine import Machine, error_of

BOTH_CLIENTS = pytest.mark.parametrize("client", ["new", "old"])


def prompt_size(machine: Machine, client: str, *arguments: str) -> dict[str, Any]:
    argv = [sys.executable, "-m", "invoke", "prompt-size", "--json", *arguments]
    done = machine.run(argv, env=machine.claude_environment(client))
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.real_cli
@BOTH_CLIENTS
def test_the_parts_add_up_and_lean_is_smaller_than_full(machine: Machine, client: str) -> None:
    lean = prompt_size(machine, client)
    full = prompt_size(machine, client, "--full")

    for report in (lean, full):
        assert sum(part["bytes"] for part in report["parts"]) == report["bytes"]
        assert min(part["bytes"] for part in report["parts"]) > 0
        assert {"system", "messages: user", "tool Bash"} <= {part["name"] for part in report["parts"]}
    assert lean["bytes"] < full["bytes"] / 2
    assert (lean["tokens"], lean["prefill_seconds"]) == (None, None)  # no server is running to count them
    assert list(machine.home.iterdir()) == []


@pytest.mark.real_cli
@pytest.mark.embedded
def test_the_running_model_counts_the_tokens(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", "embedded")
    assert machine.claude_local("-p", "hi").returncode == 0  # measures a speed

    report = prompt_size(machine, "new")

    assert all(isinstance(part["tokens"], int) for part in report["parts"])
    # The chat template formats the tools differently.
    assert sum(part["tokens"] for part in report["parts"]) == pytest.approx(report["tokens"], rel=0.15)
    assert report["prefill_seconds"] > 0


@pytest.mark.docker
@pytest.mark.real_cli
def test_the_router_counts_the_tokens_too(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("up", "--model", "demo", "--engine", "docker")

    report = prompt_size(machine, "new")

    assert report["tokens"]
    assert all(isinstance(part["tokens"], int) for part in report["parts"])


def test_without_claude_code_it_says_how_to_install_it(machine: Machine) -> None:
    machine.extra["PATH"] = "/usr/bin:/bin"

    message, hints = error_of(machine.invoke("prompt-size"))

    assert message == "claude is not on the PATH"
    assert hints == ["install Claude Code: npm install --global @anthropic-ai/claude-code"]
