"""settings.yaml: persistent settings, overridden by the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.foundation.errors import UserError
from claude_local.machine import settings_file
from claude_local.machine.settings import Settings
from support.machine import Machine


def written(folder: Path, text: str) -> Path:
    (folder / "settings.yaml").write_text(text)
    return folder


def texts(folder: Path, text: str) -> dict[str, str]:
    entries = settings_file.read(written(folder, text))
    return {variable: entry.text for variable, entry in entries.items()}


def load(folder: Path, environment: dict[str, str], engine: str | None = None) -> Settings:
    return settings_file.load(folder, environment, defaults={}, engine=engine, user_id=1, group_id=1)


def test_without_a_file_nothing_is_set(tmp_path: Path) -> None:
    assert settings_file.read(tmp_path) == {}


def test_every_kind_of_value_becomes_its_variable(tmp_path: Path) -> None:
    text = (
        "sandbox: bash\nllama_port: 8090\njail_switching: false\njail_read_only: [~/.cargo, /opt/go]\nimage:\n"
        "fit_target: [768, 2048]\nmanagement_port: off\n"
    )

    assert texts(tmp_path, text) == {
        "CLAUDE_LOCAL_SANDBOX": "bash",
        "CLAUDE_LOCAL_LLAMA_PORT": "8090",
        "CLAUDE_LOCAL_JAIL_SWITCHING": "no",
        "CLAUDE_LOCAL_JAIL_READ_ONLY": "~/.cargo:/opt/go",
        "CLAUDE_LOCAL_FIT_TARGET": "768,2048",
        "CLAUDE_LOCAL_MANAGEMENT_PORT": "off",
    }


def test_every_mistake_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        settings_file.read(written(tmp_path, "sandbox: jail\nsandbx: off\nhome: /x\n"))

    assert caught.value.message.splitlines() == [
        f"{tmp_path}/settings.yaml:2: there is no setting `sandbx`",
        f"{tmp_path}/settings.yaml:3: there is no setting `home`",
    ]
    assert "jail_read_only" in caught.value.hint


def test_a_file_that_is_not_yaml_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"settings\.yaml:\d: is not YAML"):
        settings_file.read(written(tmp_path, "sandbox: [jail\n"))


@pytest.mark.parametrize("word", ["off", "no", "false", "'off'"])
def test_every_word_for_off_disables_the_management_api(tmp_path: Path, word: str) -> None:
    written(tmp_path, f"management_port: {word}\n")

    assert load(tmp_path, {}).management_port is None


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("image: no", "image should be text, not False", "YAML reads a bare on/off/yes/no"),
        (
            "management_port: on",
            "management_port should be text, not True",
            "YAML reads a bare on/off/yes/no",
        ),
        ("jail_read_only: [~]", "jail_read_only should contain only text", "quote text values"),
        ("jail_read_only: [[/a]]", "jail_read_only should contain only text", "quote text values"),
        ("image: {a: b}", "image should contain only text", "quote text values"),
        ("image: [a, b]", "image should be one value, not a list", ""),
        ("image: a\nimage: b", "image: appears twice, first on line 2", ""),
    ],
)
def test_a_value_that_is_not_text_is_reported_with_its_line(
    tmp_path: Path, line: str, message: str, hint: str
) -> None:
    with pytest.raises(UserError) as caught:
        settings_file.read(written(tmp_path, f"# mine\n{line}\n"))

    assert caught.value.message == f"{tmp_path}/settings.yaml:{2 + line.count(chr(10))}: {message}"
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("management_port: 70000", "should be a port from 1 to 65535, or `off`, not `70000`"),
        ("sandbox: off", "should be one of jail, bash, container, not `off`"),
        ("external_url: gpu", "should start with http:// or https://, not `gpu`"),
    ],
)
def test_an_invalid_value_is_reported_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        load(written(tmp_path, f"# mine\n{line}\n"), {})

    name = line.partition(":")[0]
    assert caught.value.message == f"{tmp_path}/settings.yaml:2: {name} {problem}"


def test_an_invalid_value_from_the_environment_is_reported_with_its_variable(tmp_path: Path) -> None:
    written(tmp_path, "engine: docker\n")

    with pytest.raises(UserError, match=r"^CLAUDE_LOCAL_ENGINE should be one of .*, not `podman`$"):
        load(tmp_path, {"CLAUDE_LOCAL_ENGINE": "podman"})


def test_an_invalid_value_from_an_option_is_reported_with_the_option(tmp_path: Path) -> None:
    written(tmp_path, "engine: docker\n")

    with pytest.raises(UserError, match=r"^--engine should be one of .*, not `foo`$"):
        load(tmp_path, {"CLAUDE_LOCAL_ENGINE": "embedded"}, engine="foo")


def test_the_file_applies_and_the_environment_overrides_it(machine: Machine) -> None:
    written(machine.checkout, "sandbox: bash\n")
    machine.invoke_ok("render")
    config = machine.checkout / "build" / "config.bash"
    from_file = config.read_text()
    machine.extra["CLAUDE_LOCAL_SANDBOX"] = "container"
    machine.invoke_ok("render")

    assert "readonly DEFAULT_SANDBOX='bash'\n" in from_file
    assert "readonly DEFAULT_SANDBOX='container'\n" in config.read_text()


def test_sandbox_off_as_a_default_is_refused(machine: Machine) -> None:
    written(machine.checkout, "sandbox: 'off'\n")

    done = machine.invoke("render")

    assert done.returncode == 1
    file = machine.checkout / "settings.yaml"
    assert done.stderr.startswith(
        f"error: {file}:1: sandbox should be one of jail, bash, container, not `off`"
    )


def test_settings_are_read_without_opening_the_nvidia_driver(machine: Machine) -> None:
    machine.extra["PYTHONPROFILEIMPORTTIME"] = "1"  # Python lists its imports on stderr

    reader = machine.invoke("profiles").stderr
    renderer = machine.invoke("render").stderr

    assert "claude_local.machine.settings_file" in reader
    assert "pynvml" not in reader
    assert "pynvml" in renderer
