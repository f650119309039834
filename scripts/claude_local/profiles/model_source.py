"""The files of a profile's model, and their source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from claude_local.foundation.errors import UserError
from claude_local.foundation.gguf_header import shard_names
from claude_local.profiles.parts import ProfilePart, Sha256, Text

REPOSITORY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"
Repository = Annotated[str, StringConstraints(pattern=REPOSITORY_PATTERN)]


@dataclass(frozen=True)
class Shard:
    """One file of a model: its path in the models folder and in its repository, and its known facts."""

    file: str
    hub_path: str
    sha256: str | None
    size_bytes: int | None


class HubFile(ProfilePart):
    """One GGUF file below the models folder, and its place on a model hub."""

    file: Text
    """Path of the (first) GGUF file below the models folder."""
    repo: Repository | None = None
    """Hub repository that holds the file, as `owner/name`."""
    revision: Text | None = None
    """Commit, tag or branch of the repository; unset: the newest state."""
    hub_file: Text | None = None
    """Path in the repository, if it differs from `file`."""
    sha256: Sha256 | None = None
    """Checksum of the (first) file."""
    more_sha256: Annotated[tuple[Sha256, ...], Field(strict=False)] = ()
    """Checksums of the second and later shards, in order."""
    size_bytes: Annotated[int, Field(gt=0)] | None = None
    """Size of the file, or of all shards together."""
    about_gb: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    """Approximate size in GB, for a first estimate whether it fits."""

    @property
    def stated_bytes(self) -> int | None:
        """The size from the profile: exact, else approximate; None if it has neither."""
        return self.size_bytes or (round(self.about_gb * 1e9) if self.about_gb else None)

    @field_validator("file", "hub_file")
    @classmethod
    def _stays_below_the_models_folder(cls, file: str | None) -> str | None:
        if file is None:
            return None
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or not file.endswith(".gguf"):
            raise ValueError("should be a .gguf file below the models folder")
        try:
            shard_names(file)
        except UserError:
            raise ValueError("should be the first shard (-00001-of-)") from None
        return file

    def shards(self) -> tuple[Shard, ...]:
        """All its files in order, each with its path on the hub and its known facts."""
        paths = zip(shard_names(self.file), shard_names(self.hub_file or self.file), strict=False)
        sums = dict(enumerate((self.sha256, *self.more_sha256)))
        alone = len(shard_names(self.file)) == 1
        return tuple(
            Shard(file, hub_path, sums.get(number), self.size_bytes if alone else None)
            for number, (file, hub_path) in enumerate(paths)
        )


class ModelSource(HubFile):
    """The model's own file and its additional files."""

    mmproj: HubFile | None = None
    """Projector for images; llama-server's `--mmproj`."""
    draft: HubFile | None = None
    """Draft model for speculative decoding; llama-server's `--spec-draft-model`."""

    @property
    def files(self) -> tuple[HubFile, ...]:
        """Every file that must be on disk: the model, the projector, the draft model."""
        return tuple(part for part in (self, self.mmproj, self.draft) if part)
