"""`invoke verify` holds with both Claude Code versions, and it sees a leak where there is one."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_local import verify
from claude_local.errors import UserError
from claude_local.settings import load_settings
from claude_local.verify import Result
from claude_local.verify_cases import ASKED, SESSIONS
from machine import CLIENT_FOLDERS, ROOT, Done, Machine, error_of

BOTH_CLIENTS = pytest.mark.parametrize("client", ["new", "old"])
CASES = {case.name: case for session in SESSIONS for case in session}

# What launchers do that set nothing but the environment.
PLAIN_LAUNCHER = """#!/usr/bin/env bash
# {{ header }}
export ANTHROPIC_BASE_URL={{ settings.base_url | sh }} ANTHROPIC_AUTH_TOKEN=local ANTHROPIC_API_KEY=
export ANTHROPIC_MODEL=local-llama CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
exec claude "$@"
"""

LEAK_FROM_A_PLAIN_LAUNCHER = [
    *("user-url", "user-memory", "home-memory", "user-mcp"),
    *("env-socket", "env-bedrock", "env-proxy", "env-secrets"),
    *("project-url", "local-url", "project-vertex", "project-key-helper"),
    *("hook-sessionstart", "project-mcp-command", "project-mcp-url", "project-permissions"),
]


def invoke_verify(machine: Machine, client: str) -> Done:
    argv = [sys.executable, "-m", "invoke", "verify"]
    return machine.run(argv, env=machine.claude_environment(client))


def change_wrapper(checkout: Path, change: Callable[[str], str]) -> None:
    template = checkout / "templates" / "bin" / "claude-local.j2"
    text = template.read_text(encoding="utf-8")
    assert change(text) != text
    template.write_text(change(text), encoding="utf-8")


@pytest.mark.real_cli
@BOTH_CLIENTS
def test_no_attempt_diverts_a_local_session(machine: Machine, client: str) -> None:
    done = invoke_verify(machine, client)

    assert done.returncode == 0, done.stdout + done.stderr
    held = re.fullmatch(r"(\d+) of (\d+) held", done.stdout.splitlines()[-1])
    assert held, done.stdout
    assert int(held[1]) == int(held[2]) == len(CASES) + 3
    assert len(CASES) >= 25
    assert list(machine.home.iterdir()) == []  # the real home folder is left alone


@pytest.mark.real_cli
@BOTH_CLIENTS
def test_with_a_plain_launcher_the_same_attempts_succeed(tmp_path: Path, client: str) -> None:
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    change_wrapper(tmp_path, lambda _: PLAIN_LAUNCHER)
    settings = load_settings({"HOME": str(tmp_path)}, tmp_path, user_id=0, group_id=0)
    path = f"{CLIENT_FOLDERS[client]}:/usr/bin:/bin"

    results = verify.run(settings, {"PATH": path}, [[CASES[name]] for name in LEAK_FROM_A_PLAIN_LAUNCHER])

    seen = {result.name: result.leak for result in results if result.leak not in ("", verify.UNPROVEN)}
    print("\n".join(f"{name}: {leak}" for name, leak in seen.items()))
    assert set(LEAK_FROM_A_PLAIN_LAUNCHER) <= seen.keys()
    assert {"claude-files", "home-files"} <= seen.keys()


@pytest.mark.real_cli
@BOTH_CLIENTS
def test_a_wrapper_without_our_settings_is_found_out(machine: Machine, client: str) -> None:
    options = re.compile(r'--settings "[^"]*" --setting-sources "[^"]*"')
    change_wrapper(machine.checkout, lambda text: options.sub("", text))

    done = invoke_verify(machine, client)

    message, hints = error_of(done)
    assert done.returncode == 1
    assert re.fullmatch(r"\d+ of \d+ do not hold; the first: \./\.claude/settings\S+ env \w+", message)
    assert re.search(r"^  \| [A-Z]+ \S+ went to another server$", done.stderr, re.MULTILINE)
    assert "LEAK" in done.stdout
    assert hints


@pytest.mark.real_cli
def test_a_wrapper_that_passes_the_environment_on_is_found_out(machine: Machine) -> None:
    change_wrapper(machine.checkout, lambda text: text.replace("exec env -i ", "exec env "))

    message, _ = error_of(invoke_verify(machine, "new"))

    assert "do not hold; the first: environment: " in message


def test_without_claude_code_it_says_how_to_install_it(machine: Machine) -> None:
    machine.extra["PATH"] = "/usr/bin:/bin"

    message, hints = error_of(machine.invoke("verify"))

    assert message == "claude is not on the PATH"
    assert hints == ["install Claude Code: npm install --global @anthropic-ai/claude-code"]


def test_the_error_names_a_diversion_that_was_seen_before_all_else() -> None:
    results = [
        Result("a", "the first thing", "it holds"),
        Result("b", "the second thing", "it holds", verify.UNPROVEN),
        Result("c", "the third thing", "it holds", "its command ran"),
        Result("d", "the fourth thing", ASKED, "POST / went to another server"),
    ]

    with pytest.raises(UserError) as caught:
        verify.check(results)

    assert caught.value.message == "3 of 4 do not hold; the first: the fourth thing"
    assert caught.value.details == "POST / went to another server"


def test_nothing_is_wrong_where_everything_held() -> None:
    verify.check([Result("a", "the first thing", "it holds")])


def test_every_case_has_a_name_of_its_own() -> None:
    names = [{case.name for case in session} for session in SESSIONS]

    assert [len(own) for own in names] == [len(session) for session in SESSIONS]
    assert all(CASES[case.name] == case for session in SESSIONS for case in session)
