"""A start by Python and one by bin/llama-up (without Python) leave the same presets and obey the same key rules."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from claude_local.build import build_folder
from claude_local.build.render import render
from claude_local.machine import state
from claude_local.machine.settings import Settings
from claude_local.profiles.load import load_profiles
from claude_local.profiles.profile import Profile
from claude_local.server.engines.docker import DockerEngine
from support.machine import ROOT
from support.refresh_golden import PROFILES, checkout_in, settings_in

ALIKE = {
    name: Profile.model_validate(
        {"name": name, "title": "T", "description": "D", "model": {"file": "a.gguf"}}
    )
    for name in ("a.b", "a-b", "axb", "a.b.c")
}
"""Names that a careless regular expression would confuse."""

SETS = {"golden": PROFILES, "shipped": load_profiles(ROOT / "profiles"), "alike": ALIKE}

Start = Callable[[Settings, Profile], None]


def by_python(settings: Settings, profile: Profile) -> None:
    state.prepare(settings)
    DockerEngine(settings)._write_presets(profile, alone=False)


def by_bash(settings: Settings, profile: Profile) -> None:
    """The steps of llama-up's `main` before it starts the container."""
    program = settings.build_dir / "bin" / "llama-up"
    text = program.read_text(encoding="utf-8")
    functions = text.removesuffix('main "$@"\n')
    assert functions != text
    first_steps = program.with_name("first-steps")  # beside it, where it finds the files that it sources
    first_steps.write_text(functions + 'private_folders\nmake_key\nwrite_presets "$1"\n', encoding="utf-8")
    subprocess.run(["/bin/bash", str(first_steps), profile.name], check=True)


BOTH = pytest.mark.parametrize("start", [by_python, by_bash])


def machine_with(folder: Path, profiles: dict[str, Profile]) -> Settings:
    """A checkout with its build/ and its own state folder, before the first start."""
    settings = replace(
        settings_in(checkout_in(folder)), state_dir=folder / "state", models_dir=folder / "models"
    )
    build_folder.apply(build_folder.plan(render(settings, profiles), settings.build_dir), settings.build_dir)
    return settings


@pytest.mark.parametrize("profiles", SETS.values(), ids=SETS)
def test_both_write_the_same_presets_for_every_profile(tmp_path: Path, profiles: dict[str, Profile]) -> None:
    settings = machine_with(tmp_path, profiles)
    presets = settings.runtime_dir / "presets.ini"

    for profile in profiles.values():
        by_python(settings, profile)
        expected = presets.read_bytes()
        presets.unlink()
        by_bash(settings, profile)

        assert presets.read_bytes() == expected
        assert expected.count(b"\nload-on-startup = true\n") == 1


@BOTH
def test_a_key_is_64_hexadecimal_digits_and_private(tmp_path: Path, start: Start) -> None:
    settings = machine_with(tmp_path, PROFILES)

    start(settings, PROFILES["plain"])

    assert re.fullmatch(r"[0-9a-f]{64}", settings.api_key_file.read_text())
    assert [
        path.stat().st_mode & 0o777
        for path in (settings.state_dir, settings.runtime_dir, settings.api_key_file)
    ] == [0o700, 0o700, 0o600]


@BOTH
def test_an_existing_key_is_kept_and_made_private(tmp_path: Path, start: Start) -> None:
    settings = machine_with(tmp_path, PROFILES)
    settings.runtime_dir.mkdir(parents=True)
    settings.api_key_file.write_text("my-own-key\n")
    settings.api_key_file.chmod(0o644)

    start(settings, PROFILES["plain"])

    assert settings.api_key_file.read_text() == "my-own-key\n"
    assert settings.api_key_file.stat().st_mode & 0o777 == 0o600


@BOTH
@pytest.mark.parametrize("content", ["", "\n", " \n\t"])
def test_a_key_file_without_a_key_is_replaced(tmp_path: Path, start: Start, content: str) -> None:
    settings = machine_with(tmp_path, PROFILES)
    settings.runtime_dir.mkdir(parents=True)
    settings.api_key_file.write_text(content)

    start(settings, PROFILES["plain"])

    assert re.fullmatch(r"[0-9a-f]{64}", settings.api_key_file.read_text())
