"""A folder of profiles for a test, and what reading it gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from claude_local.foundation.errors import ProfileError
from claude_local.profiles.load import load_profiles

MINIMAL = "title: T\ndescription: D\nmodel: {file: a.gguf}\n"
"""The three lines that every profile needs; whatever a test adds begins on line 4."""

BOOLEAN_HINT = "YAML reads a bare on/off/yes/no as a boolean: quote it"


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def mistakes_in(folder: Path) -> tuple[list[str], list[str]]:
    """The lines of the error's message and of its hint."""
    with pytest.raises(ProfileError) as caught:
        load_profiles(folder)
    return caught.value.message.split("\n"), caught.value.hint.splitlines()


def server_of(folder: Path, name: str = "a") -> dict[str, object]:
    return load_profiles(folder)[name].server.model_dump(exclude_defaults=True)
