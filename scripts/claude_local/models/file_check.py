"""Checks that the files of a profile are on disk and are the right ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from claude_local.foundation.errors import UserError
from claude_local.machine.settings import Settings
from claude_local.models import checksums
from claude_local.models.model_files import Wanted, wanted_files

if TYPE_CHECKING:
    from claude_local.profiles.profile import Profile

GGUF_MAGIC = b"GGUF"


def check_model_file(settings: Settings, profile: Profile) -> None:
    """Raises UserError if one of the profile's GGUF files is missing, is not GGUF, or has the wrong checksum."""
    for wanted in wanted_files(settings, profile):
        _check_file(settings, profile, wanted)


def _check_file(settings: Settings, profile: Profile, wanted: Wanted) -> None:
    file = wanted.target
    if not file.is_file():
        raise UserError(
            f"the model file of profile `{profile.name}` is missing: {file}",
            hint=_how_to_get(profile, settings),
        )
    with file.open("rb") as opened:
        if opened.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
            raise UserError(f"{file} is not a GGUF file", hint=_how_to_get(profile, settings))
    size, expected = file.stat().st_size, wanted.size_bytes
    if expected and size != expected:
        raise UserError(
            f"{file} has {size:,} bytes, the profile says {expected:,}",
            hint=f"it may be a partial download; {_how_to_replace(profile, settings)}",
        )
    if wanted.sha256:
        _check_sha256(settings, wanted, wanted.sha256)


def _check_sha256(settings: Settings, wanted: Wanted, expected: str) -> None:
    """Compares the checksum cached by `invoke pull`. Computing one takes a minute, so that is not done here."""
    known = checksums.known_sha256(settings.state_dir, wanted.target)
    if known and known != expected:
        raise UserError(
            f"{wanted.target} is not the file that the profile names: its sha256 is {known}, not {expected}",
            hint=f"replace it: invoke pull {wanted.profile} --force",
        )
    if checksums.has_changed(settings.state_dir, wanted.target):
        raise UserError(
            f"{wanted.target} has changed since its checksum was computed",
            hint=f"check it again, without a download: invoke pull {wanted.profile}",
        )


def model_size_bytes(settings: Settings, profile: Profile) -> int | None:
    """Size of the model's own files on disk, else the exact or approximate size in the profile."""
    files = [settings.models_dir / shard.file for shard in profile.model.shards()]
    here = all(file.is_file() for file in files)
    return sum(file.stat().st_size for file in files) if here else profile.model.stated_bytes


def _how_to_replace(profile: Profile, settings: Settings) -> str:
    """The command to replace a file: without `--force` a pull keeps it."""
    if profile.model.repo is None:
        return _how_to_get(profile, settings)
    return f"replace it: invoke pull {profile.name} --force"


def _how_to_get(profile: Profile, settings: Settings) -> str:
    if profile.model.repo is not None:
        return f"download it: invoke pull {profile.name}"
    if profile.name == "demo":
        return "write it: invoke demo-model"
    return f"put it into {settings.models_dir}; the profile does not say where it comes from"
