"""The README's first command, in a fresh clone, for a user with an empty home."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil
import pytest

from claude_local.cli import quickstart
from claude_local.foundation.errors import EngineFailed
from claude_local.lifecycle import status, up_down
from claude_local.machine.settings import Settings, load_settings
from claude_local.management import server_process
from claude_local.profiles.load import load_profiles
from support.machine import Machine


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.embedded
@pytest.mark.real_cli
def test_quickstart_streams_an_answer_twice_and_touches_nothing_outside(machine: Machine) -> None:
    script = str(machine.checkout / "scripts" / "quickstart")
    invoke = str(machine.checkout / ".venv" / "bin" / "invoke")
    passed = {name: value for name, value in machine.environment.items() if "CLAUDE_LOCAL" not in name}
    ports = {"CLAUDE_LOCAL_LLAMA_PORT": str(machine.port), "CLAUDE_LOCAL_MANAGEMENT_PORT": "off"}
    environment = {**passed, **package_index(), **ports}

    first = machine.run([script], env=environment, cwd=machine.home)
    second = machine.run([script], env=environment, cwd=machine.home)
    outside = everything_below(machine.home)
    wrapper = machine.claude_local("-p", "hi")
    down = machine.run([invoke, "down"], env=environment)

    for done in (first, second):
        assert done.returncode == 0, done.stdout + done.stderr
        answer = done.stdout.split("running ")[0]
        assert len(re.findall(r"[a-z]{2,}", answer)) >= 1, done.stdout
        assert f"llama-server with the demo model on {machine.url}" in done.stdout
    assert "installing Python packages" in first.stderr
    assert "installing Python packages" not in second.stderr
    assert outside == []
    assert (wrapper.returncode, bool(wrapper.stdout.strip())) == (0, True), wrapper.stderr
    assert down.stderr.splitlines()[-1] == "stopped: embedded"
    assert machine.our_processes() == []


def package_index() -> dict[str, str]:
    """The variables that this machine needs to reach its package index."""
    return {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}


@pytest.mark.embedded
def test_a_server_that_dies_in_between_is_an_error(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(machine.environment, machine.checkout, user_id=os.getuid(), group_id=os.getgid())

    def kill_server(_: Settings) -> None:
        server = psutil.Process(status.snapshot(settings).server_process_id or 0)
        server.kill()
        psutil.wait_procs([server], timeout=30)

    monkeypatch.setattr(server_process, "start", kill_server)
    try:
        with pytest.raises(EngineFailed, match="the model did not answer"):
            quickstart.run(settings, load_profiles(settings.profiles_dir))
    finally:
        up_down.down(settings)


def test_help_prints_the_usage_and_changes_nothing(machine: Machine) -> None:
    before = everything_below(machine.checkout)

    done = machine.run([str(machine.checkout / "scripts" / "quickstart"), "--help"])

    assert done.returncode == 0
    assert done.stdout.startswith("Proves that everything works here, in one command")
    assert everything_below(machine.checkout) == before


@pytest.mark.docker
def test_a_python_without_pip_is_an_error_with_the_line_that_installs_it(
    machine: Machine, test_image: str
) -> None:
    mount = f"{machine.checkout}:/checkout"
    run = ["docker", "run", "--rm", "--network", "none", "--volume", mount, test_image]

    done = machine.run([*run, "/checkout/scripts/quickstart"])

    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "quickstart: this Python has neither pip nor ensurepip",
        "quickstart: Debian, Ubuntu: sudo apt install python3-venv",
    ]
    assert not (machine.checkout / ".venv").exists()
