"""Makes build/ match the output of `render`; the only module that writes there.

`plan` lists the changes; `--check`, `--diff` and the real run all work on that one list.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from claude_local.build.render import COPIED, HEADER, RenderedFile, render
from claude_local.foundation.errors import BuildConflict, UserError
from claude_local.foundation.samples import GpuReading
from claude_local.machine.files import write_atomic
from claude_local.machine.gpus import read_gpus
from claude_local.machine.settings import Settings, load_settings
from claude_local.profiles.profile import Profile
from claude_local.server.fit_target import fit_targets

HEADER_LINES = 3
SETTINGS_FILE = "settings.json"


@dataclass(frozen=True)
class Change:
    """One file that differs from the rendered one. `new` is None if the file should not exist."""

    kind: Literal["create", "update", "remove"]
    path: PurePosixPath
    old: str
    new: RenderedFile | None


def plan(files: Sequence[RenderedFile], build_dir: Path) -> list[Change]:
    """The changes that `build_dir` needs. Raises BuildConflict if a file of the user is in the way."""
    wanted = {file.path for file in files}
    changes = [change for file in files if (change := _change(file, build_dir))]
    stale = [path for path in _our_files(build_dir) if path not in wanted]
    return changes + [Change("remove", path, _read(build_dir / path), None) for path in stale]


def apply(changes: Sequence[Change], build_dir: Path) -> None:
    """Makes the changes; each file is written atomically."""
    for change in changes:
        target = build_dir / change.path
        if change.new is None:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, change.new.text.encode(), mode=change.new.mode)


def wanted(
    settings: Settings, profiles: Mapping[str, Profile], cards: GpuReading | None = None
) -> list[RenderedFile]:
    """Every file of build/ for these cards; None: those of this machine, asked where the settings leave it open."""
    fit_target = settings.fit_target or fit_targets(cards or read_gpus())
    return render(settings, profiles, fit_target=fit_target)


def refresh(settings: Settings, profiles: Mapping[str, Profile]) -> list[Change]:
    """Renders profiles and templates into build/ and returns the changes made."""
    changes = plan(wanted(settings, profiles), settings.build_dir)
    apply(changes, settings.build_dir)
    return changes


def last_settings(settings: Settings) -> Settings:
    """The settings that build/ was last rendered with; `settings` if these are unknown.

    A program that renders again on its own, such as the management API, keeps the user's settings this way.
    """
    try:
        environment = json.loads(_read(settings.build_dir / SETTINGS_FILE))["environment"]
        return load_settings(
            {"HOME": str(settings.home), **environment},
            settings.root,
            user_id=settings.user_id,
            group_id=settings.group_id,
        )
    except (OSError, ValueError, KeyError, TypeError, UserError):
        return settings


def diff(changes: Sequence[Change]) -> str:
    """The changes as a unified diff."""
    return "".join(line for change in changes for line in _diff_lines(change))


def _change(file: RenderedFile, build_dir: Path) -> Change | None:
    target = build_dir / file.path
    for folder in file.path.parents:
        if (build_dir / folder).exists() and not (build_dir / folder).is_dir():
            raise _conflict(build_dir, folder)
    if not target.exists() and not target.is_symlink():
        return Change("create", file.path, "", file)
    if not target.is_file() or not _is_ours(old := _read(target)):
        raise _conflict(build_dir, file.path)
    if old == file.text and target.stat().st_mode & 0o777 == file.mode:
        return None
    return Change("update", file.path, old, file)


def _conflict(build_dir: Path, path: PurePosixPath) -> BuildConflict:
    return BuildConflict(
        f"{build_dir.name}/{path} was not written by `invoke render`",
        hint=f"move it away: {build_dir / path}",
    )


def _our_files(build_dir: Path) -> Iterator[PurePosixPath]:
    for file in sorted(build_dir.rglob("*")):
        if file.is_file() and not file.is_symlink() and _is_ours(_read(file)):
            yield PurePosixPath(file.relative_to(build_dir))


def _is_ours(text: str) -> bool:
    return any(HEADER in line or COPIED in line for line in text.splitlines()[:HEADER_LINES])


def _read(file: Path) -> str:
    return file.read_bytes().decode(errors="replace")  # keeps the line ends


def _diff_lines(change: Change) -> Iterator[str]:
    new = change.new.text if change.new else ""
    yield from difflib.unified_diff(
        change.old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        fromfile=f"build/{change.path}" if change.old else "/dev/null",
        tofile=f"build/{change.path}" if change.new else "/dev/null",
    )
    if change.new and change.old == new:
        yield f"build/{change.path}: permissions become {change.new.mode:o}\n"
