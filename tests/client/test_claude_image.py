"""claude_image and its pins: the exact build command, npm's own lock, and clear messages for failures."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from claude_local.client.claude_image import Choices, build, build_argv
from claude_local.client.claude_image_pins import PINS, package, package_lock
from claude_local.foundation.errors import EngineFailed, UserError
from claude_local.machine.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": "/"}, tmp_path / "check out", user_id=1000, group_id=1000)


def test_the_command_is_one_docker_build_of_our_folder(settings: Settings) -> None:
    argv = build_argv(settings, Choices())

    folder = f"{settings.build_dir}/client-image"
    assert argv == ["docker", "build", "--tag", "claude-local/client:latest", folder]


def test_every_choice_reaches_the_command(settings: Settings, tmp_path: Path) -> None:
    choices = Choices("debian:13", "git", "golang-go cargo", tmp_path / "ca.pem")

    argv = build_argv(settings, choices)

    assert argv[4:-1] == [
        *("--build-arg", "BASE=debian:13"),
        *("--build-arg", "PACKAGES=git"),
        *("--build-arg", "MORE_PACKAGES=golang-go cargo"),
        *("--secret", f"id=certificates,src={tmp_path}/ca.pem"),
    ]


def test_a_dry_run_prints_the_command_and_starts_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []

    build(settings, Choices(), dry_run=True, say=said.append)

    assert said == [shlex.join(build_argv(settings, Choices()))]


def test_a_failed_build_reports_its_exit_code_and_the_usual_causes(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EngineFailed) as caught:
        build(settings, Choices(), dry_run=False, say=str)

    assert caught.value.message == "the image was not built (exit code 3); the old one, if any, is untouched"
    assert caught.value.hint.startswith("usual causes: no network")


def test_a_missing_certificate_file_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        build(settings, Choices(certificates=tmp_path / "none.pem"), dry_run=True, say=str)


def test_the_pins_are_those_in_the_npm_lock_file_of_the_tests() -> None:
    lock = json.loads((ROOT / "tests" / "claude_code" / "package-lock.json").read_text())["packages"]

    ours = package_lock(PINS)["packages"]

    programs = [name for name in ours if name]
    facts = ("version", "integrity", "cpu", "libc", "os", "optional")
    assert [{fact: ours[name][fact] for fact in facts} for name in programs] == [
        {fact: lock[name][fact] for fact in facts} for name in programs
    ]
    assert package(PINS)["optionalDependencies"] == {
        name.removeprefix("node_modules/"): PINS.claude for name in programs
    }


def test_the_base_is_pinned_by_its_digest() -> None:
    assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", PINS.base)
