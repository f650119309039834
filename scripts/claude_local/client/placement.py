"""Installs one file: written, linked or updated, step by step.

A file that the user changed is kept, and ours is written next to it; with force, theirs is renamed first.
"""

from __future__ import annotations

import difflib
import itertools
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from claude_local.client import manifest
from claude_local.client.manifest import FOLDER, Recorded, fingerprint
from claude_local.machine.files import private_directory, write_atomic
from claude_local.machine.settings import Settings

DONE = {
    "write": "wrote",
    "update": "updated",
    "link": "linked",
    "make": "made",
    "save": "saved",
    "keep": "kept",
    "remove": "removed",
}


@dataclass(frozen=True)
class Piece:
    """One of our files and its target, as a copy or as a link to `source`."""

    source: Path
    target: Path
    link: bool
    earlier: Path | None = None
    """The target of the link that an earlier version made here."""

    @property
    def wanted(self) -> str | None:
        return f"link:{self.source}" if self.link else fingerprint(self.source)

    def may_replace(self, recorded: Recorded) -> bool:
        """Whether the file at the target is ours: unchanged since we wrote it, or equal to our copy or link."""
        ours = {recorded.get(self.target), f"link:{self.source}", fingerprint(self.source)}
        ours |= {f"link:{self.earlier}"} if self.earlier else set()
        return fingerprint(self.target) in ours - {FOLDER, None}


@dataclass(frozen=True)
class Step:
    """One action at `path`, and the text after it in the output. Without a verb there is no action."""

    verb: str
    path: Path
    about: str = ""
    piece: Piece | None = None
    lines_before: tuple[str, ...] = ()

    def lines(self, *, dry_run: bool) -> tuple[str, ...]:
        """The printed lines: the same for a dry run ("would write") and afterwards ("wrote")."""
        verb = f"would {self.verb} " if dry_run else f"{DONE.get(self.verb)} "
        return (*self.lines_before, f"{verb if self.verb else ''}{self.path}{self.about}")


# ---- Planned steps


def steps_for(piece: Piece, recorded: Recorded, *, force: bool = False) -> Iterator[Step]:
    target = piece.target
    arrow = f" -> {piece.source}" if piece.link else ""
    write = Step("link" if piece.link else "write", target, arrow, piece)
    if fingerprint(target) == piece.wanted and (piece.link or mode_of(target) == mode_of(piece.source)):
        yield Step("", target, " is already up to date", piece)
    elif fingerprint(target) is None:
        yield write
    elif piece.may_replace(recorded):
        yield Step("update", target, arrow, piece)
    elif force:
        yield Step("save", target, f" as {_backup(target).name}")
        yield write
    else:
        new = _beside(piece, recorded)
        about = f", which is not as we wrote it; ours is {new.target.name}, --force installs it"
        yield Step("keep", target, about, lines_before=tuple(_difference(target, new)))
        yield from steps_for(new, recorded)


def ide_steps(piece: Piece) -> list[Step]:
    """A link to the lock files of editors, if `claude` has any; recent versions also look there."""
    now = fingerprint(piece.target)
    if not piece.source.is_dir():
        return []
    if now == piece.wanted:
        return [Step("", piece.target, " is already up to date", piece)]
    if now is None:
        return [Step("link", piece.target, f" -> {piece.source}, so that editors are found", piece)]
    return [Step("keep", piece.target, f", which is not our link; editors are found in {piece.source} too")]


def no_longer_needed(recorded: Recorded, current: set[Path], client_dir: Path, folder: Path) -> list[Step]:
    """Steps that remove unchanged files of an earlier run from these two folders if they are no longer installed."""
    return [
        Step("remove", path, ", which is no longer needed")
        for path, mark in recorded.items()
        if path not in current
        and (path.is_relative_to(client_dir) or path.parent == folder)
        and manifest.is_as_left(path, mark)
    ]


def _beside(piece: Piece, recorded: Recorded) -> Piece:
    """Our file under the first `.new` name that is free or already ours."""
    candidates = (Piece(piece.source, name, link=False) for name in _names(piece.target, ".new"))
    return next(new for new in candidates if not fingerprint(new.target) or new.may_replace(recorded))


def _backup(target: Path) -> Path:
    return next(name for name in _names(target, ".bak") if fingerprint(name) is None)


def _names(target: Path, ending: str) -> Iterator[Path]:
    return (target.with_name(f"{target.name}{ending}{number or ''}") for number in itertools.count())


def _difference(theirs: Path, ours: Piece) -> Iterator[str]:
    if theirs.is_file():
        old, new = (file.read_bytes().decode(errors="replace") for file in (theirs, ours.source))
        names = (str(theirs), str(ours.target))
        yield from difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm="")


def mode_of(path: Path) -> int | None:
    return path.stat().st_mode & 0o777 if path.exists() else None


# ---- Execution


def apply(step: Step, settings: Settings, recorded: Recorded) -> None:
    before = dict(recorded)
    _make_folder(settings.state_dir, recorded)
    if step.verb == "make":
        _make_folder(step.path, recorded)
        private_directory(step.path)
    elif step.verb == "save":
        step.path.rename(_backup(step.path))
    elif step.verb == "remove":
        step.path.unlink()
        del recorded[step.path]
    elif step.piece:
        if step.verb:
            _make_folder(step.path.parent, recorded)
            _put(step.piece)
        recorded[step.path] = str(step.piece.wanted)
    if recorded != before:
        private_directory(settings.state_dir)
        manifest.save(settings, recorded)


def _put(piece: Piece) -> None:
    if not piece.link:
        write_atomic(piece.target, piece.source.read_bytes(), mode=mode_of(piece.source) or 0)
        return
    temporary = piece.target.with_name(f".{piece.target.name}.{secrets.token_hex(6)}.tmp")
    temporary.symlink_to(piece.source)
    temporary.replace(piece.target)


def _make_folder(folder: Path, recorded: Recorded) -> None:
    """Creates the missing parts of `folder` and records them, so that they can be removed again."""
    for part in reversed([folder, *folder.parents]):
        if not part.is_dir():
            part.mkdir()
            recorded[part] = FOLDER
