"""The shipped profiles, and the reference."""

from __future__ import annotations

import shutil
from pathlib import Path

from claude_local.foundation.strict_yaml import read_yaml
from claude_local.profiles.load import load_profiles, profile_files
from claude_local.profiles.model_source import ModelSource
from claude_local.profiles.profile import Profile, ServerOptions

SHIPPED = Path(__file__).parents[2] / "profiles"


def test_every_shipped_profile_loads() -> None:
    profiles = load_profiles(SHIPPED)

    assert list(profiles) == [file.stem for file in profile_files(SHIPPED)]
    assert "demo" in profiles


def test_the_reference_is_a_valid_profile(folder: Path) -> None:
    shutil.copy(SHIPPED / "_reference.yaml", folder / "reference.yaml")

    profile = load_profiles(folder)["reference"]

    assert all(value is not None for value in profile.server.model_dump().values())
    assert all(value is not None for value in profile.model.model_dump().values())


def test_the_reference_names_every_key_in_schema_order() -> None:
    data = read_yaml(SHIPPED / "_reference.yaml").data

    assert list(data) == [name for name in Profile.model_fields if name != "name"]
    assert list(data["model"]) == list(ModelSource.model_fields)
    assert list(data["server"]) == list(ServerOptions.model_fields)
