"""Everything written in bash: linted as it is, linted as it is rendered, and run with bats."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from support.machine import ROOT, Machine

pytestmark = pytest.mark.tools

SCRIPTS = [
    "scripts/quickstart",
    "scripts/test",
    "scripts/lock",
    "scripts/_venv",
    ".ci/run",
    ".ci/in-container",
]
RENDERED = ["claude-local", "claude-local-statusline", "claude-local-switch", "llama-up", "llama-down"]


def shellcheck(*files: Path) -> str:
    done = subprocess.run(
        ["shellcheck", "--external-sources", *files], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_our_scripts_pass_shellcheck() -> None:
    assert shellcheck(*(ROOT / script for script in SCRIPTS)) == ""


def test_rendered_scripts_pass_shellcheck(machine: Machine) -> None:
    machine.invoke_ok("render")

    assert shellcheck(*(machine.checkout / "build" / "bin" / name for name in RENDERED)) == ""


def test_rendered_scripts_choose_no_bash_of_the_path(machine: Machine) -> None:
    """A session can write a program named bash into a virtual environment that is active."""
    machine.invoke_ok("render")

    first = {
        (machine.checkout / "build" / "bin" / name).read_text().splitlines()[0].split()[0]
        for name in RENDERED
    }

    assert first == {"#!/bin/bash"}


def test_the_wrapper_behaves(machine: Machine) -> None:
    url = "http://127.0.0.1:9"
    machine.extra |= {"CLAUDE_LOCAL_EXTERNAL_URL": url}
    machine.invoke_ok("render")
    environment = {
        **machine.environment,
        "CHECKOUT": str(machine.checkout),
        "CLIENT_DIR": str(machine.home / ".claude-local"),
        "BASE_URL": url,
    }

    done = machine.run(["bats", str(ROOT / "tests" / "bash")], env=environment)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nok 1 " in "\n" + done.stdout or " ✓ " in done.stdout


def test_nothing_answering_names_the_command_that_starts_a_model(machine: Machine) -> None:
    machine.invoke_ok("demo-model")
    machine.invoke_ok("render")
    (machine.state_dir / "llama").mkdir(parents=True)
    (machine.state_dir / "llama" / "api_key").write_text("a key")

    done = machine.claude_local("-p", "hi")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"claude-local: nothing answers on {machine.url}",
        f"claude-local: start a model: cd '{machine.checkout}' && invoke up; or claude-local --start NAME",
    ]


def test_a_setting_that_is_not_obeyed_is_named(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_JAIL_READ_ONLY"] = "~/.cargo:~/.nvm/"
    machine.invoke_ok("render")
    quiet = machine.claude_local("env")
    machine.extra |= {"CLAUDE_LOCAL_LLAMA_PORT": "19999", "CLAUDE_LOCAL_EXTERNAL_URL": "http://127.0.0.1:1"}

    told = machine.claude_local("env")

    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert told.returncode == 0
    assert told.stderr == (
        "claude-local: not obeyed here, as claude-local was written with another value: "
        "CLAUDE_LOCAL_EXTERNAL_URL CLAUDE_LOCAL_LLAMA_PORT; "
        f"take it over: cd '{machine.checkout}' && invoke render\n"
    )


def test_an_installed_command_knows_that_the_port_was_changed_since(machine: Machine) -> None:
    machine.invoke_ok("install-claude-local")
    installed = machine.home / ".local" / "bin" / "claude-local"
    old = machine.url
    machine.port += 1
    machine.invoke_ok("render")
    environment = {
        name: value
        for name, value in machine.claude_environment("new").items()
        if not name.startswith("CLAUDE_LOCAL_")
    }

    done = machine.run([str(installed), "-p", "hi"], env=environment)

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"claude-local: nothing answers on {old}; the settings that were used last say {machine.url}",
        f"claude-local: use {machine.checkout}/build/bin/claude-local; or set llama_port in settings.yaml, "
        f"then cd '{machine.checkout}' && invoke install-claude-local",
    ]


STRACE_OPTIONS = ["-f", "-qq", "-e", "trace=execve", "-o"]
ALWAYS_STARTED = {"claude-local", "env", "bash", "sh", "mkdir", "cp", "claude"}
STARTED_FOR_THE_JAIL = {
    *("realpath", "bwrap", "inside", "true", "setpriv", "haproxy"),
    *("find", "cat", "git", "rm", "sort", "xargs"),
}


@pytest.mark.parametrize(
    ("sandbox", "allowed"), [("off", ALWAYS_STARTED), ("jail", ALWAYS_STARTED | STARTED_FOR_THE_JAIL)]
)
def test_no_python_runs_between_the_shell_and_claude(
    machine: Machine, tmp_path: Path, sandbox: str, allowed: set[str]
) -> None:
    machine.extra |= {"CLAUDE_LOCAL_EXTERNAL_URL": "http://127.0.0.1:9"}
    machine.invoke_ok("render")
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / "claude").write_text("#!/bin/sh\n")
    (fake / "claude").chmod(0o755)
    environment = {**machine.environment, "PATH": f"{fake}:{machine.environment['PATH']}"}
    trace = tmp_path / "trace"
    workspace = machine.home / "workspace"
    workspace.mkdir()

    machine.run(
        ["strace", *STRACE_OPTIONS, str(trace), *machine.claude_argv("--sandbox", sandbox)],
        env=environment,
        cwd=workspace,
    )

    started = [line for line in trace.read_text().splitlines() if line.endswith("= 0")]
    programs = {Path(line.split('"')[1]).name for line in started}
    assert "claude" in programs
    assert programs <= allowed


def test_shellcheck_would_find_a_mistake(tmp_path: Path) -> None:
    assert shutil.which("shellcheck")
    wrong = tmp_path / "wrong"
    wrong.write_text("#!/bin/bash\necho $1\n")

    assert "SC2086" in shellcheck(wrong)


@pytest.mark.parametrize("asks", ["--help", "-h"])
def test_the_help_of_the_tests_sets_nothing_up(machine: Machine, asks: str) -> None:
    done = machine.run([str(machine.checkout / "scripts" / "test"), asks])

    assert (done.returncode, done.stderr) == (0, "")
    assert "scripts/test [--unit] [pytest arguments]" in done.stdout
    assert not (machine.checkout / "tests" / ".cache").exists()
    assert not (machine.checkout / ".venv").exists()
