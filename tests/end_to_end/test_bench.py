"""`invoke bench` with the real Claude Code and the embedded engine. No test asserts a time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from support.machine import Machine, error_of


@pytest.mark.real_cli
@pytest.mark.embedded
@pytest.mark.timeout(600)
def test_claude_local_rereads_less_of_a_prompt_than_a_plain_launcher(
    machine: Machine, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    argv = [sys.executable, "-m", "invoke", "bench", "--client", "--json"]
    environment = {**machine.claude_environment("new"), "TMPDIR": str(temporary)}

    done = machine.run(argv, env=environment, timeout_seconds=280)

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    print(done.stdout)
    share = {way: {turn["step"]: turn["share"] for turn in turns} for way, turns in figures["turns"].items()}
    assert share["ours"]["first session"] > 0.9
    for step in ("new session, other prompt", "new session, other directory"):
        assert share["ours"][step] < share["plain"][step]
    assert figures["request_bytes"]["lean"] < figures["request_bytes"]["full"]
    assert isinstance(figures["wrapper_overhead_ms"], float)
    assert figures["model"] == "demo model, random weights"
    assert list(temporary.iterdir()) == []
    assert list(machine.home.iterdir()) == []
    assert machine.our_processes() == []


@pytest.mark.embedded
def test_a_claude_that_fails_leaves_nothing_behind(machine: Machine, tmp_path: Path) -> None:
    programs, temporary = tmp_path / "bin", tmp_path / "temporary"
    programs.mkdir()
    temporary.mkdir()
    claude = programs / "claude"
    claude.write_text(
        '#!/bin/sh\n[ "$1" != --version ] || { echo 999.0.0; exit 0; }\necho no model >&2; exit 3\n'
    )
    claude.chmod(0o755)
    machine.extra |= {"PATH": f"{programs}:/usr/bin:/bin", "TMPDIR": str(temporary)}

    message, _ = error_of(machine.invoke("bench", "--client"))

    assert message == "claude-local failed (exit code 3)"
    assert list(temporary.iterdir()) == []
    assert machine.our_processes() == []


def test_bench_without_an_option_names_the_benchmark(machine: Machine) -> None:
    message, hints = error_of(machine.invoke("bench"))

    assert message == "nothing to measure"
    assert hints == ["there is one benchmark: invoke bench --client"]
