"""The manifest of `invoke install-claude-local`: `install.json` in the state folder.

Uninstall removes only paths that are listed there and unchanged. The second half of this file detects
paths in the user's normal ~/.claude, which neither command may change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from claude_local.foundation.errors import UserError
from claude_local.machine.files import PRIVATE_FILE, write_atomic
from claude_local.machine.settings import Settings
from claude_local.machine.state_folder import MANIFEST

FOLDER = "folder"
OTHER = "other"
NOTE = "Written by `invoke install-claude-local`; `invoke uninstall-claude-local` reads it"

Recorded = dict[Path, str]
"""Our paths, each with its fingerprint at the time of writing."""


def manifest_file(settings: Settings) -> Path:
    return MANIFEST.below(settings.state_dir)


def load(settings: Settings) -> Recorded:
    """The installed paths; empty if nothing is installed. Raises UserError for a file that is not ours."""
    file = manifest_file(settings)
    if not file.exists():
        return {}
    try:
        paths = json.loads(file.read_bytes())["paths"]
        recorded = {Path(path): str(mark) for path, mark in paths.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{file} cannot be understood", hint=f"move it away: {file}") from None
    if not all(path.is_absolute() for path in recorded):
        raise UserError(f"{file} has a path that is not absolute", hint=f"move it away: {file}")
    return recorded


def save(settings: Settings, recorded: Recorded) -> None:
    """Replaces the manifest. The state folder must exist."""
    paths = {str(path): recorded[path] for path in sorted(recorded)}
    text = json.dumps({"//": NOTE, "paths": paths}, indent=2) + "\n"
    write_atomic(manifest_file(settings), text.encode(), mode=PRIVATE_FILE)


def fingerprint(path: Path) -> str | None:
    """The content of `path` as one word: `sha256:…`, `link:…`, `folder`, `other`; None if it does not exist."""
    if path.is_symlink():
        return f"link:{path.readlink()}"
    if path.is_file():
        return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    if path.is_dir():
        return FOLDER
    return OTHER if path.exists() else None


def is_as_left(path: Path, mark: str) -> bool:
    """Whether our file or link is unchanged since we wrote it."""
    return mark != FOLDER and fingerprint(path) == mark


@contextlib.contextmanager
def in_one_line() -> Iterator[None]:
    """Turns an OSError, such as a full disk or a read-only folder, into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename or 'the disk'}: {error.strerror}") from error


# ---- The normal ~/.claude


def normal_dir(environment: Mapping[str, str]) -> Path:
    """The folder of plain `claude`. We never write there."""
    return Path(environment.get("HOME") or "/") / ".claude"


def lies_in(place: Path, folder: Path) -> bool:
    """Whether `place` is `folder` or is inside it, links and mounts included."""
    real = resolved(folder)
    return any(
        part in (folder, real) or _is_same(part, folder)
        for start in (place, resolved(place))
        for part in (start, *start.parents)
    )


def resolved(path: Path) -> Path:
    """`path` with links resolved; a circle of links is left unchanged."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
