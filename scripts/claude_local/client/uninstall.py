"""Removes unchanged files of `install`; with `purge` also the data of local sessions.

All checks come before any removal. Nothing in ~/.claude is ever changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from claude_local.client import manifest
from claude_local.client.manifest import FOLDER, Recorded, fingerprint, lies_in
from claude_local.client.session_records import read_records
from claude_local.foundation.errors import UserError
from claude_local.machine import process_record
from claude_local.machine.setting_descriptor import PREFIX
from claude_local.machine.settings import Settings
from claude_local.machine.state_folder import ENTRIES, MANAGEMENT, MANIFEST, QUARANTINE, SESSIONS

# Claude Code's own files in its folder, for the list of kept files.
CLAUDE_CODE_KEEPS = {
    "projects": "your sessions",
    "sessions": "your sessions",
    "history.jsonl": "what you typed",
    "plans": "plans",
    ".claude.json": "Claude Code's own state",
}
# Every folder that Claude Code has used contains one of these.
SIGNS_OF_CLAUDE_CODE = (".claude.json", "history.jsonl")


@dataclass
class _Plan:
    """The removals in order: `trees` with their contents, `files`, then empty `folders`."""

    trees: list[Path] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    kept: dict[Path, str] = field(default_factory=dict)

    def removals(self) -> Iterator[tuple[Path, Callable[[Path], None], str]]:
        """Each path, its removal function, and the text for it; the manifest is the last of the files."""
        yield from ((tree, shutil.rmtree, " with everything in it") for tree in self.trees)
        yield from ((file, Path.unlink, "") for file in self.files)
        yield from ((folder, Path.rmdir, "") for folder in self.folders)

    def goes(self, path: Path) -> bool:
        return path in self.files or path in self.folders or self.goes_with_a_tree(path)

    def goes_with_a_tree(self, path: Path) -> bool:
        return any(path.is_relative_to(tree) for tree in self.trees)


def uninstall(
    settings: Settings, environment: Mapping[str, str], *, purge: bool = False, dry_run: bool = False
) -> Iterator[str]:
    """Removes unchanged paths of the manifest; yields a line per removed path, and one per kept path with the reason.

    `purge` also removes the client folder with all sessions, and the entries of machine/state_folder.py. Raises
    UserError, before any removal, if the client folder could belong to another program, or if a session or
    server is running.
    """
    with manifest.in_one_line():
        recorded = manifest.load(settings)
        plan = _plan(settings, recorded, manifest.normal_dir(environment), purge=purge)
        if not dry_run:
            _check_processes(plan)
        if not recorded:
            yield "nothing was installed"
        for path, remove, about in plan.removals():
            if not dry_run:
                remove(path)
            yield f"{'would remove' if dry_run else 'removed'} {path}{about}"
        yield from (f"{'would keep' if dry_run else 'kept'} {path}: {why}" for path, why in plan.kept.items())
        if recorded:
            yield from _what_stays(settings.client_dir, plan)


def _plan(settings: Settings, recorded: Recorded, normal: Path, *, purge: bool) -> _Plan:
    plan = _Plan()
    candidates = {path for path, mark in recorded.items() if mark == FOLDER}
    if purge:
        plan.trees = _purged(settings, recorded, normal)
        _purge_state(settings.state_dir, plan)
        _check_state([*plan.trees, *plan.files], normal)
        candidates |= {settings.state_dir, QUARANTINE.below(settings.state_dir)}
    for path, mark in recorded.items():
        if mark == FOLDER or fingerprint(path) is None or plan.goes_with_a_tree(path):
            continue
        if lies_in(path.parent, normal):
            plan.kept[path] = f"it is in your normal {normal} now"
        elif manifest.is_as_left(path, mark):
            plan.files.append(path)
            candidates |= {part for part in path.parents if part.is_relative_to(settings.client_dir)}
        else:
            plan.kept[path] = "it is not as we wrote it"
    own = manifest.manifest_file(settings)
    if (recorded or (purge and own.is_file())) and not plan.goes_with_a_tree(own):
        plan.files.append(own)
    for folder in sorted(candidates, key=lambda path: len(path.parts), reverse=True):
        # A link to a folder has a different fingerprint and is kept.
        is_ours = fingerprint(folder) == FOLDER and not lies_in(folder, normal)
        if is_ours and not plan.goes_with_a_tree(folder) and all(map(plan.goes, folder.iterdir())):
            plan.folders.append(folder)
    return plan


def _purged(settings: Settings, recorded: Recorded, normal: Path) -> list[Path]:
    """The client folder, if it certainly is one and contains nothing else."""
    folder = settings.client_dir
    hint = f"remove it by hand, or correct {PREFIX}CLIENT_DIR"
    if folder.is_symlink():
        raise UserError(f"{folder} is a link, so --purge leaves it alone", hint=hint)
    if not folder.exists():
        return []
    protected = [normal, normal.parent, settings.root, settings.build_dir]
    protected += [settings.models_dir, settings.profiles_dir]
    for other in protected:
        if lies_in(other, folder):
            raise UserError(f"{folder} is or contains {other}, so --purge leaves it alone", hint=hint)
    if lies_in(folder, normal):
        raise UserError(f"{folder} is in your normal {normal}, so --purge leaves it alone", hint=hint)
    if not folder.is_dir() or folder.stat().st_uid != settings.user_id:
        raise UserError(f"{folder} is not a folder of yours, so --purge leaves it alone", hint=hint)
    is_client_dir = any(path.is_relative_to(folder) for path in recorded) or _has_signs(folder)
    if not is_client_dir:
        raise UserError(f"{folder} does not look like a folder of claude-local", hint=hint)
    return [folder]


def _purge_state(state: Path, plan: _Plan) -> None:
    """Adds every entry of the state folder to the removals, or to the kept ones with the reason."""
    for entry in ENTRIES:
        there = entry.all_below(state)
        goes = _purged_records(state, plan.kept) if entry is SESSIONS and there else there
        goes = [path for path in goes if not plan.goes_with_a_tree(path)]
        if entry.kept_because:
            plan.kept |= {path: entry.kept_because for path in goes if any(path.iterdir())}
        elif entry is not MANIFEST:  # the last of the files, see `_plan`
            (plan.trees if entry.is_folder else plan.files).extend(goes)


def _purged_records(state: Path, kept: dict[Path, str]) -> list[Path]:
    """The session records that can be removed; the others are added to `kept`."""
    folder = SESSIONS.below(state)
    records = [] if folder.is_symlink() else read_records(state)
    for record in records:
        if record.is_running:
            raise UserError(
                f"a session is running in {record.workspace}", hint="end it first, in its terminal: /exit"
            )
    for record in records:
        if record.has_begun:
            kept[record.folder] = (
                f"the session in {record.workspace} was interrupted, and the files it left were not checked; "
                "start claude-local there once, or check them yourself and delete this folder"
            )
    if not kept:
        return [folder]
    return [record.folder for record in records if not record.has_begun]


def _check_state(paths: list[Path], normal: Path) -> None:
    for path in paths:
        if path.is_symlink() or lies_in(path, normal) or lies_in(normal, path):
            kind = "folder" if path.is_dir() else "file"
            raise UserError(f"{path} is not a {kind} of ours", hint=f"correct {PREFIX}STATE_DIR")


def _check_processes(plan: _Plan) -> None:
    """Raises UserError if a folder to remove belongs to a running server."""
    for tree in plan.trees:
        if process_record.running_process(tree / process_record.NAME):
            what = "management API" if tree.name == MANAGEMENT.name else f"{tree.name} engine"
            raise UserError(f"the {what} is running", hint="stop it first: invoke down")


def _what_stays(client_dir: Path, plan: _Plan) -> Iterator[str]:
    if not client_dir.is_dir() or plan.goes(client_dir):
        return
    rest = [path for path in sorted(client_dir.iterdir()) if not plan.goes(path) and path not in plan.kept]
    for path in rest:
        yield f"{path} stays: {CLAUDE_CODE_KEEPS.get(path.name, 'Claude Code or you wrote it')}"
    if rest and _has_signs(client_dir):
        yield "to remove the rest of this folder: invoke uninstall-claude-local --purge"


def _has_signs(folder: Path) -> bool:
    return any((folder / name).is_file() for name in SIGNS_OF_CLAUDE_CODE)
