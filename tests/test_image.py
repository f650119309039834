"""image and image_pins: the exact build command, pinned sources, and clear words when it fails."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import psutil
import pytest

from claude_local.errors import EngineFailed
from claude_local.image import build, build_argv
from claude_local.image_pins import PINS
from claude_local.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"HOME": "/"}, tmp_path / "check out", user_id=1000, group_id=1000)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_the_command_is_one_docker_build_of_our_dockerfile(settings: Settings) -> None:
    assert build_argv(settings, jobs=3) == [
        "docker",
        "build",
        *("--tag", "claude-local/llama:latest"),
        *("--file", f"{settings.build_dir}/Dockerfile"),
        *("--build-arg", "JOBS=3"),
        f"{settings.build_dir}",
    ]


def test_a_dry_run_says_the_command_and_starts_nothing(settings: Settings, programs: Path) -> None:
    program(programs, "docker", f": >'{programs}/was-started'")
    said: list[str] = []

    build(settings, dry_run=True, say=said.append)

    jobs = next(token for token in shlex.split(said[0]) if token.startswith("JOBS=")).removeprefix("JOBS=")
    assert said == [shlex.join(build_argv(settings, jobs=int(jobs)))]
    assert 1 <= int(jobs) <= (psutil.cpu_count() or 1)
    assert not (programs / "was-started").exists()


def test_docker_gets_exactly_the_command_that_was_said_and_uses_buildkit(
    settings: Settings, programs: Path
) -> None:
    program(programs, "docker", f"printf '%s\\n' \"$DOCKER_BUILDKIT\" \"$@\" >'{programs}/arguments'")
    said: list[str] = []

    build(settings, dry_run=False, say=said.append)

    arguments = (programs / "arguments").read_text().splitlines()
    assert arguments == ["1", *shlex.split(said[0])[1:]]


def test_a_failed_build_tells_its_exit_code_and_the_usual_causes(settings: Settings, programs: Path) -> None:
    program(programs, "docker", "exit 3")

    with pytest.raises(EngineFailed) as caught:
        build(settings, dry_run=False, say=str)

    assert caught.value.message == (
        "the image was not built (exit code 3); the old one, if any, is untouched"
    )
    assert caught.value.hint.startswith("usual causes: no disk space, too little memory")


@pytest.mark.usefixtures("programs")
def test_without_docker_the_build_fails_with_an_expected_error(settings: Settings) -> None:
    with pytest.raises(EngineFailed) as caught:
        build(settings, dry_run=False, say=str)

    assert "docker" in caught.value.message


def test_everything_that_the_image_is_built_from_is_pinned() -> None:
    assert re.fullmatch(r"https://github\.com/[\w-]+/[\w.-]+", PINS.repository)
    assert re.fullmatch(r"[0-9a-f]{40}", PINS.commit)
    assert re.fullmatch(r"b\d+", PINS.build)
    for base in (PINS.build_base, PINS.runtime_base):
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base)


def test_both_stages_of_the_image_have_the_same_cuda_and_ubuntu() -> None:
    build_tag, runtime_tag = (
        re.sub(r"@.*", "", base).replace("-devel-", "-").replace("-runtime-", "-")
        for base in (PINS.build_base, PINS.runtime_base)
    )

    assert build_tag == runtime_tag
