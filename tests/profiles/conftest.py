"""A profiles folder for the tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A profiles folder with empty defaults."""
    made = tmp_path / "profiles"
    made.mkdir()
    (made / "_defaults.yaml").write_text("")
    return made
