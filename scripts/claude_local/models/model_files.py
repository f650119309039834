"""The path of each model file of a profile on this disk, and its source on a hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from claude_local.machine.settings import Settings
from claude_local.models import hub

if TYPE_CHECKING:
    from claude_local.profiles.profile import Profile

PARTIAL = ".partial"
"""Suffix of a partial download."""


@dataclass(frozen=True)
class Wanted:
    """One file that a profile needs; `repo` is None if the profile does not name its source."""

    profile: str
    target: Path
    repo: str | None
    revision: str | None
    hub_path: str
    sha256: str | None
    size_bytes: int | None

    @property
    def place(self) -> hub.Place:
        assert self.repo is not None
        return hub.Place(self.repo, self.hub_path, self.revision)


def wanted_files(settings: Settings, profile: Profile) -> list[Wanted]:
    """Every file of a profile: model, projector, draft model, with all shards, in this order.

    A projector or draft model without a repository comes from the model's own.
    """
    return [
        Wanted(
            profile=profile.name,
            target=settings.models_dir / shard.file,
            repo=part.repo or profile.model.repo,
            revision=part.revision if part.repo else part.revision or profile.model.revision,
            hub_path=shard.hub_path,
            sha256=shard.sha256,
            size_bytes=shard.size_bytes,
        )
        for part in profile.model.files
        for shard in part.shards()
    ]
