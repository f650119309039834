"""Everything written in bash: linted in the form in which it is committed, and run with bats."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import claude_local
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
TEMPLATES = ROOT / "templates"
PROGRAMS = sorted(file for folder in ("bin", "libexec") for file in (TEMPLATES / folder).iterdir())
LIBRARIES = sorted((TEMPLATES / "lib").rglob("*.bash"))
DATA = [ROOT / "tests" / "golden" / "config.bash", ROOT / "tests" / "golden" / "shim" / "claude-local"]
LINES_AT_MOST = 200
OF_BASH = {
    *("BASH_SOURCE", "BASH_REMATCH", "EPOCHSECONDS", "EUID", "GROUPS", "HOME", "PWD"),
    *("CLAUDE_LOCAL_SANDBOX", "CLAUDE_LOCAL_WORKSPACE", "CLAUDE_LOCAL_ENGINE"),
    *("CLAUDE_CODE_SSE_PORT", "CLAUDE_CONFIG_DIR"),
}
"""Set by bash or by the session's environment."""


def shellcheck(*files: Path) -> str:
    done = subprocess.run(
        ["shellcheck", "--external-sources", "--check-sourced", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_our_scripts_pass_shellcheck() -> None:
    assert shellcheck(*(ROOT / script for script in SCRIPTS)) == ""


def test_programs_and_their_libraries_pass_shellcheck() -> None:
    assert shellcheck(*PROGRAMS, *DATA) == ""


def test_every_library_is_sourced_by_a_program() -> None:
    """Otherwise ShellCheck would not see it."""
    text = "".join(file.read_text() for file in (*PROGRAMS, *LIBRARIES))

    sourced = set(re.findall(r'source "\$HERE/(lib/\S+)"', text))

    assert sourced == {str(file.relative_to(TEMPLATES)) for file in LIBRARIES}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_constant_that_a_program_uses_is_defined(program: Path) -> None:
    """ShellCheck assumes that names in capitals come from the environment."""
    texts = [program.read_text()]
    texts += [(TEMPLATES / name).read_text() for name in re.findall(r'"\$HERE/(lib/\S+)"', texts[0])]
    if "$HERE/config.bash" in texts[0]:
        texts.append(DATA[0].read_text())
    code = re.sub(r"(?m)(^|\s)#.*$", "", "\n".join(texts))

    named = set(re.findall(r"\$\{?[#!]?([A-Z][A-Z_]+)\b(?!:-|@\})", code))
    given = set(re.findall(r"\b([A-Z][A-Z_]+)\+?=", code))

    assert named - given - OF_BASH == set()


def test_no_bash_file_is_too_long() -> None:
    files = [*PROGRAMS, *LIBRARIES, *DATA, *(ROOT / script for script in SCRIPTS)]
    lengths = {file.name: len(file.read_text().splitlines()) for file in files}

    assert {name: length for name, length in lengths.items() if length > LINES_AT_MOST} == {}


def test_programs_ignore_a_bash_in_the_path_and_functions_in_the_environment() -> None:
    """A session can write a program named bash into an active virtual environment."""
    assert {file.read_text().splitlines()[0] for file in [*PROGRAMS, DATA[1]]} == {"#!/bin/bash -p"}


def test_the_wrapper_behaves(machine: Machine) -> None:
    url = "http://127.0.0.1:9"
    machine.extra |= {"CLAUDE_LOCAL_EXTERNAL_URL": url}
    machine.invoke_ok("render")
    environment = {
        **machine.environment,
        "CHECKOUT": str(machine.checkout),
        "CLIENT_DIR": str(machine.home / ".claude-local"),
        "STATE_DIR": str(machine.state_dir),
        "BASE_URL": url,
    }

    done = machine.run(["bats", str(ROOT / "tests" / "bash")], env=environment)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nok 1 " in "\n" + done.stdout or " ✓ " in done.stdout


def test_without_a_server_the_command_that_starts_a_model_is_named(machine: Machine) -> None:
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


def test_a_setting_that_is_ignored_is_named(machine: Machine) -> None:
    machine.extra["CLAUDE_LOCAL_JAIL_READ_ONLY"] = "~/.cargo:~/.nvm/"
    machine.invoke_ok("render")
    quiet = machine.claude_local("env")
    machine.extra |= {"CLAUDE_LOCAL_LLAMA_PORT": "19999", "CLAUDE_LOCAL_EXTERNAL_URL": "http://127.0.0.1:1"}

    changed = machine.claude_local("env")

    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert changed.returncode == 0
    assert changed.stderr == (
        "claude-local: these settings have changed since `invoke render` and have no effect yet: "
        "CLAUDE_LOCAL_EXTERNAL_URL CLAUDE_LOCAL_LLAMA_PORT; "
        f"to apply them: cd '{machine.checkout}' && invoke render\n"
    )


def test_an_installed_command_follows_a_later_render(machine: Machine) -> None:
    machine.invoke_ok("install-claude-local")
    installed = machine.home / ".local" / "bin" / "claude-local"
    machine.port += 1
    machine.invoke_ok("render")
    environment = {
        name: value
        for name, value in machine.claude_environment("new").items()
        if not name.startswith("CLAUDE_LOCAL_")
    }

    done = machine.run([str(installed), "-p", "hi"], env=environment)

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"claude-local: nothing answers on {machine.url}"


def test_the_version_is_that_of_the_python_package(machine: Machine) -> None:
    machine.invoke_ok("render")

    done = machine.claude_local("--version")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{claude_local.__version__}\n", "")


STRACE_OPTIONS = ["-f", "-qq", "-e", "trace=execve", "-o"]
ALWAYS_STARTED = {"claude-local", "unconfined", "env", "bash", "sh", "mkdir", "cp", "claude"}
STARTED_FOR_THE_JAIL = {
    *("realpath", "bwrap", "inside", "true", "setpriv", "haproxy", "audit"),
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
def test_the_help_of_scripts_test_sets_nothing_up(machine: Machine, asks: str) -> None:
    done = machine.run([str(machine.checkout / "scripts" / "test"), asks])

    assert (done.returncode, done.stderr) == (0, "")
    assert "scripts/test [--unit] [pytest arguments]" in done.stdout
    assert not (machine.checkout / "tests" / ".cache").exists()
    assert not (machine.checkout / ".venv").exists()
