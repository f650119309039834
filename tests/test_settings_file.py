"""settings.yaml: settings that stay, below those of the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local import settings_file
from claude_local.errors import UserError
from machine import Machine


def written(folder: Path, text: str) -> Path:
    (folder / "settings.yaml").write_text(text)
    return folder


def test_without_a_file_nothing_is_set(tmp_path: Path) -> None:
    assert settings_file.variables(tmp_path) == {}


def test_every_kind_of_value_becomes_its_variable(tmp_path: Path) -> None:
    text = "sandbox: bash\nllama_port: 8090\njail_switching: false\njail_read_only: [~/.cargo, /opt/go]\nimage:\n"

    assert settings_file.variables(written(tmp_path, text)) == {
        "CLAUDE_LOCAL_SANDBOX": "bash",
        "CLAUDE_LOCAL_LLAMA_PORT": "8090",
        "CLAUDE_LOCAL_JAIL_SWITCHING": "no",
        "CLAUDE_LOCAL_JAIL_READ_ONLY": "~/.cargo:/opt/go",
    }


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        settings_file.variables(written(tmp_path, "sandbox: jail\nsandbx: off\nhome: /x\n"))

    assert caught.value.message.splitlines() == [
        f"{tmp_path}/settings.yaml:2: there is no setting `sandbx`",
        f"{tmp_path}/settings.yaml:3: there is no setting `home`",
    ]
    assert "jail_read_only" in caught.value.hint


def test_a_file_that_is_no_yaml_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"settings\.yaml:\d: is not YAML"):
        settings_file.variables(written(tmp_path, "sandbox: [jail\n"))


def test_the_file_counts_and_the_environment_counts_more(machine: Machine) -> None:
    written(machine.checkout, "sandbox: bash\n")
    machine.invoke_ok("render")
    wrapper = machine.checkout / "build" / "bin" / "claude-local"
    from_file = wrapper.read_text()
    machine.extra["CLAUDE_LOCAL_SANDBOX"] = "container"
    machine.invoke_ok("render")

    assert "readonly DEFAULT_SANDBOX='bash'\n" in from_file
    assert "readonly DEFAULT_SANDBOX='container'\n" in wrapper.read_text()


def test_a_default_without_confinement_is_refused(machine: Machine) -> None:
    written(machine.checkout, "sandbox: 'off'\n")

    done = machine.invoke("render")

    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: CLAUDE_LOCAL_SANDBOX should be one of jail, bash, container, not `off`"
    )
