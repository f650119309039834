"""The contents of the models folder: files of profiles, files that no profile names, partial downloads."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from claude_local.foundation.errors import UserError
from claude_local.foundation.gguf_header import read_model
from claude_local.foundation.gguf_purpose import check_model, check_purpose
from claude_local.machine.settings import Settings
from claude_local.models import checksums
from claude_local.models.model_check import check_projector, check_reachable
from claude_local.models.model_files import PARTIAL, Wanted, wanted_files
from claude_local.profiles.model_source import HubFile
from claude_local.profiles.profile import Profile


@dataclass(frozen=True)
class ProfileFiles:
    """The files of one profile. `size_bytes` is None if unknown."""

    name: str
    state: str
    on_disk_bytes: int
    size_bytes: int | None


@dataclass(frozen=True)
class Extra:
    """A file that no profile needs; `path` is relative to the models folder."""

    path: str
    size_bytes: int
    why: str
    deletable: bool


@dataclass(frozen=True)
class Inventory:
    """The contents of the models folder."""

    models_dir: str
    free_bytes: int
    profiles: tuple[ProfileFiles, ...]
    extras: tuple[Extra, ...]

    @property
    def deletable(self) -> tuple[Extra, ...]:
        return tuple(extra for extra in self.extras if extra.deletable)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def inventory(settings: Settings, profiles: Mapping[str, Profile]) -> Inventory:
    """Lists existing, missing and unused files. Reads headers; computes no checksums."""
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    return Inventory(
        models_dir=str(settings.models_dir),
        free_bytes=shutil.disk_usage(settings.models_dir).free,
        profiles=tuple(_profile_files(settings, profile) for profile in profiles.values()),
        extras=tuple(_extras(settings, profiles)),
    )


def prune(settings: Settings, extras: tuple[Extra, ...]) -> int:
    """Deletes these files and returns the number of freed bytes. Links are never followed.

    Raises UserError for a path that is not inside the models folder.
    """
    freed = 0
    root = settings.models_dir.resolve()
    for extra in extras:
        file = settings.models_dir / extra.path
        if file.parent.resolve() != (root / extra.path).parent or file.is_symlink():
            raise UserError(f"{file} is no longer a file in the models folder", hint="see: invoke models")
        try:
            file.unlink()
        except OSError as error:
            raise UserError(f"{file} cannot be deleted: {error.strerror}") from None
        freed += extra.size_bytes
    return freed


def _profile_files(settings: Settings, profile: Profile) -> ProfileFiles:
    wanted = wanted_files(settings, profile)
    here = [item for item in wanted if item.target.is_file()]
    sizes = [part.size_bytes for part in profile.model.files]
    known = sum(size for size in sizes if size) if all(sizes) else None
    on_disk = sum(item.target.stat().st_size for item in here)
    size = on_disk if len(here) == len(wanted) else known
    return ProfileFiles(profile.name, _state(settings, profile, wanted, here), on_disk, size)


def _state(settings: Settings, profile: Profile, wanted: list[Wanted], here: list[Wanted]) -> str:
    missing = [item for item in wanted if item not in here]
    if missing and any(item.repo for item in missing):
        count = f"{len(here)} of {len(wanted)} files" if here else "not downloaded"
        return f"{count}: invoke pull {profile.name}"
    if missing:
        return (
            "write it: invoke demo-model" if profile.name == "demo" else f"missing: {missing[0].target.name}"
        )
    return "; ".join(filter(None, (_problem(settings, profile), _checked(settings, here))))


def _problem(settings: Settings, profile: Profile) -> str:
    try:
        check_reachable(settings, profile)
        for part, check in _parts(profile):
            if (file := settings.models_dir / part.file).is_file():
                check(file)
    except UserError as error:
        return error.message
    return ""


def _parts(profile: Profile) -> Iterator[tuple[HubFile, Callable[[Path], object]]]:
    """Each part of a model with the check of its file."""
    yield profile.model, lambda file: check_model(read_model(file), str(file))
    if profile.model.mmproj:
        yield profile.model.mmproj, check_projector
    if profile.model.draft:
        yield profile.model.draft, lambda file: check_purpose(read_model(file), str(file))


def _checked(settings: Settings, here: list[Wanted]) -> str:
    """Whether the cached checksums are those in the profile."""
    sums = [(item.sha256, checksums.known_sha256(settings.state_dir, item.target)) for item in here]
    if any(mine and seen and mine != seen for mine, seen in sums):
        return f"not the file that the profile names: invoke pull {here[0].profile} --force"
    if all(mine and mine == seen for mine, seen in sums):
        return "checked"
    if all(item.repo is None for item in here):
        return "own file"
    if all(seen for _, seen in sums):
        return f"on disk; write its checksum into the profile: invoke pull {here[0].profile} --record"
    return f"not checked: invoke pull {here[0].profile}"


def _extras(settings: Settings, profiles: Mapping[str, Profile]) -> Iterator[Extra]:
    root = settings.models_dir
    named = {item.target for profile in profiles.values() for item in wanted_files(settings, profile)}
    used = named | {file.resolve() for file in named}  # a profile may name a link to another file here
    for folder, _, names in os.walk(root, followlinks=False):
        for file in (Path(folder) / name for name in sorted(names)):
            extra = None if file in used or file.resolve() in used else _extra(root, file)
            if extra:
                yield extra


def _extra(root: Path, file: Path) -> Extra | None:
    partial = file.name.startswith(".") and file.name.endswith(PARTIAL)
    if not (partial or file.suffix == ".gguf"):
        return None
    path = str(file.relative_to(root))
    size = file.lstat().st_size
    if file.is_symlink():
        return Extra(path, size, "a link that no profile names; it is kept", deletable=False)
    if not partial:
        return Extra(path, size, "no profile names it", deletable=True)
    if _is_growing(file):
        return Extra(path, size, "being downloaded", deletable=False)
    return Extra(path, size, "partial download; `invoke pull` resumes it", deletable=True)


def _is_growing(file: Path) -> bool:
    with file.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
