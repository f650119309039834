"""`invoke verify` passes with both Claude Code versions, and finds the leaks of weaker wrappers."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from claude_local.checks.verify import verify
from claude_local.checks.verify.cases import ASKED
from claude_local.checks.verify.groups import FILE_LIMITS, GROUPS, Group
from claude_local.checks.verify.session import UNPROVEN, Result
from claude_local.foundation.errors import UserError
from claude_local.machine.settings import load_settings
from support.machine import CLIENT_FOLDERS, ROOT, Done, Machine, error_of

BOTH_CLIENTS = pytest.mark.parametrize("client", ["new", "old"])
CASES = {case.name: case for group in GROUPS for case in group.cases}
TRUSTING = [group for group in GROUPS if group.trusting and not group.on_terminal]

# Like launchers that only set the environment.
PLAIN_LAUNCHER = """#!/usr/bin/env bash
# {{ header }}
export ANTHROPIC_BASE_URL={{ settings.base_url | sh }} ANTHROPIC_AUTH_TOKEN=local ANTHROPIC_API_KEY=
export ANTHROPIC_MODEL=local-llama CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
[[ $1 != --sandbox ]] || shift 2
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
    """Changes the wrapper in whichever of its files there is something to change."""
    templates = checkout / "templates"
    files = [
        templates / "config.bash.j2",
        templates / "bin" / "claude-local",
        *templates.rglob("lib/**/*.bash"),
    ]
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    changed = {file: change(text) for file, text in texts.items() if change(text) != text}
    assert changed
    for file, text in changed.items():
        file.write_text(text, encoding="utf-8")


def replace_wrapper(checkout: Path, text: str) -> None:
    command = checkout / "templates" / "bin" / "claude-local"
    command.rename(f"{command}.j2").write_text(text, encoding="utf-8")


def run_with_wrapper(
    folder: Path, change: Callable[[str], str] | str, client: str, groups: list[Group]
) -> list[Result]:
    """The results of some sessions with another wrapper: one that is changed, or a template in its place."""
    shutil.copytree(ROOT / "templates", folder / "templates")
    if isinstance(change, str):
        replace_wrapper(folder, change)
    else:
        change_wrapper(folder, change)
    settings = load_settings({"HOME": str(folder)}, folder, user_id=os.getuid(), group_id=os.getgid())
    return verify.run(settings, {"PATH": f"{CLIENT_FOLDERS[client]}:/usr/bin:/bin"}, groups)


@pytest.mark.real_cli
@BOTH_CLIENTS
def test_no_attempt_diverts_a_local_session(machine: Machine, client: str) -> None:
    done = invoke_verify(machine, client)

    assert done.returncode == 0, done.stdout + done.stderr
    held = re.fullmatch(r"(\d+) of (\d+) held(?:, known limits: (\d+))?", done.stdout.splitlines()[-1])
    assert held, done.stdout
    assert int(held[1]) + int(held[3] or 0) == int(held[2]) == len(CASES) + len(verify.OVERALL)
    assert {group.kind for group in GROUPS} == {"-p", "-p trusting", "terminal", "terminal trusting"}
    assert len(CASES) >= 25
    assert list(machine.home.iterdir()) == []  # the real home folder is left alone


@pytest.mark.real_cli
@BOTH_CLIENTS
def test_with_a_plain_launcher_the_same_attempts_succeed(tmp_path: Path, client: str) -> None:
    groups = [Group((CASES[name],)) for name in LEAK_FROM_A_PLAIN_LAUNCHER]

    results = run_with_wrapper(tmp_path, PLAIN_LAUNCHER, client, groups)

    seen = {result.name: result.leak for result in results if result.leak not in ("", UNPROVEN)}
    print("\n".join(f"{name}: {leak}" for name, leak in seen.items()))
    assert set(LEAK_FROM_A_PLAIN_LAUNCHER) <= seen.keys()
    assert {"claude-files", "home-files"} <= seen.keys()


@pytest.mark.real_cli
@BOTH_CLIENTS
def test_a_wrapper_without_our_settings_is_detected(machine: Machine, client: str) -> None:
    options = re.compile(r'--settings "[^"]*" --setting-sources "[^"]*"')
    change_wrapper(machine.checkout, lambda text: options.sub("", text))

    done = invoke_verify(machine, client)

    message, hints = error_of(done)
    assert done.returncode == 1
    assert re.fullmatch(r"\d+ of \d+ checks failed; the first: \./\.\S+: .+", message)
    assert re.search(r"^  \| [A-Z]+ \S+ went to another server$", done.stderr, re.MULTILINE)
    assert "LEAK" in done.stdout
    assert hints


@pytest.mark.real_cli
def test_a_wrapper_that_passes_the_environment_on_is_detected(machine: Machine) -> None:
    change_wrapper(machine.checkout, lambda text: text.replace("exec -c ", "exec "))

    message, _ = error_of(invoke_verify(machine, "new"))

    assert "checks failed; the first: environment: " in message


@pytest.mark.real_cli
def test_a_hook_that_runs_in_a_session_on_a_terminal_is_detected(tmp_path: Path) -> None:
    options = re.compile(r'--settings "[^"]*" --setting-sources "[^"]*"')
    cases = (CASES["hook-sessionstart"],)

    results = run_with_wrapper(
        tmp_path, lambda text: options.sub("", text), "old", [Group(cases, on_terminal=True)]
    )

    leaks = {result.name: (result.leak, result.kinds) for result in results}
    assert leaks["hook-sessionstart"] == ("its command ran", ("terminal",))
    assert leaks["sessions"] == ("", ("terminal",))


@pytest.mark.real_cli
def test_a_wrapper_without_a_fixed_environment_lets_a_trusted_project_divert_the_older_version(
    tmp_path: Path,
) -> None:
    every = "in client_environment.items() %}"
    fewer = 'in client_environment.items() if name != "CLAUDE_CODE_ENVIRONMENT_KIND" %}'

    results = run_with_wrapper(tmp_path, lambda text: text.replace(every, fewer), "old", TRUSTING)

    leaks = {result.name: result.leak for result in results}
    assert re.fullmatch(r"\w+ \S+ went to another server", leaks["project-socket"])


@pytest.mark.real_cli
@BOTH_CLIENTS
def test_a_wrapper_that_ignores_trust_project_is_detected(tmp_path: Path, client: str) -> None:
    results = run_with_wrapper(
        tmp_path, lambda text: text.replace("sources=user,project,local", "sources=user"), client, TRUSTING
    )

    leaking = {result.name for result in results if result.leak}
    assert leaking == {"trusted-permissions", "trusted-memory"}


@pytest.mark.real_cli
@BOTH_CLIENTS
def test_a_wrapper_that_starts_a_trusted_projects_mcp_servers_is_detected(
    tmp_path: Path, client: str
) -> None:
    strict = "mcp=(--strict-mcp-config)"

    results = run_with_wrapper(tmp_path, lambda text: text.replace(strict, "mcp=()"), client, TRUSTING)

    leaks = {result.name: result.leak for result in results if result.leak}
    assert leaks.pop("home-files").startswith("changed: .cache, .cache/claude-cli-nodejs")  # their logs
    assert leaks.keys() == {"project-mcp-command", "project-mcp-url", "home-mcp"}


@pytest.mark.real_cli
def test_a_wrapper_without_the_key_is_refused_by_our_own_server(tmp_path: Path) -> None:
    group = Group((CASES["env-secrets"],), own_server=True)

    keyless = PLAIN_LAUNCHER.replace("exec ", "export CLAUDE_CODE_MAX_RETRIES=0\nexec ")

    results = run_with_wrapper(tmp_path, keyless, "new", [group])

    leaks = {result.name: result.leak for result in results}
    assert "Invalid API Key" in leaks["sessions"]
    assert leaks["key"] == leaks["sessions"]


def test_without_claude_code_it_says_how_to_install_it(machine: Machine) -> None:
    machine.extra["PATH"] = "/usr/bin:/bin"

    message, hints = error_of(machine.invoke("verify"))

    assert message == "claude is not on the PATH"
    assert hints == ["install Claude Code: npm install --global @anthropic-ai/claude-code"]


def test_the_error_names_an_observed_diversion_first() -> None:
    results = [
        Result("a", "the first thing", "it holds"),
        Result("b", "the second thing", "it holds", UNPROVEN),
        Result("c", "the third thing", "it holds", "its command ran"),
        Result("d", "the fourth thing", ASKED, "POST / went to another server"),
    ]

    with pytest.raises(UserError) as caught:
        verify.check(results)

    assert caught.value.message == "3 of 4 checks failed; the first: the fourth thing"
    assert caught.value.details == "POST / went to another server"


def test_results_without_a_leak_raise_nothing() -> None:
    verify.check([Result("a", "the first thing", "it holds")])


def test_a_known_limit_is_shown_and_is_not_a_leak(capsys: pytest.CaptureFixture[str]) -> None:
    results = [
        Result("sessions", "the first thing", "it holds"),
        Result("b", "the second thing", "it holds", limit="it cannot be helped", kinds=("terminal",)),
    ]

    verify.check(results)
    verify.show(results)

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:3] == [
        "the first thing all it holds",
        "the second thing terminal known limit: it cannot be helped",
    ]
    assert lines[-1] == "1 of 2 held, known limits: 1"


def test_only_known_files_are_excused_and_only_in_their_kinds_of_session() -> None:
    locks, ignore = FILE_LIMITS
    plain, terminal, trusting = Group(()), Group((), on_terminal=True), Group((), trusting=True)

    assert [locks.applies(group) for group in (plain, terminal, trusting)] == [False, True, False]
    assert [ignore.applies(group) for group in (plain, terminal, trusting)] == [False, False, True]
    files = [".claude/ide/45678.lock", ".claude/settings.json", ".config/git/ignore", ".config/git/config"]
    assert [locks.explains(file) for file in files] == [True, False, False, False]
    assert [ignore.explains(file) for file in files] == [False, False, True, False]


def test_every_case_has_a_unique_name() -> None:
    names = [{case.name for case in group.cases} for group in GROUPS]

    assert [len(own) for own in names] == [len(group.cases) for group in GROUPS]
    assert all(CASES[case.name] == case for group in GROUPS for case in group.cases)


def test_no_case_on_a_terminal_makes_the_model_ask_a_question() -> None:
    asking = [case.name for group in GROUPS if group.on_terminal for case in group.cases if case.model_asks]

    assert asking == []
