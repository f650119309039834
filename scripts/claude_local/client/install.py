"""Installs the command `claude-local` on the PATH, and its texts in the folder of local sessions.

Everything is planned first, so that a refusal comes before anything is written. Nothing is ever written
into ~/.claude.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from claude_local.client import manifest
from claude_local.client.manifest import Recorded, fingerprint, lies_in
from claude_local.client.placement import Piece, Step, apply, ide_steps, mode_of, no_longer_needed, steps_for
from claude_local.client.requirements import CLAUDE, claude_kind, install_line, worth_naming
from claude_local.foundation.errors import UserError
from claude_local.machine.files import PRIVATE_DIRECTORY
from claude_local.machine.setting_descriptor import PREFIX
from claude_local.machine.settings import Settings

COMMAND = "claude-local"


@dataclass(frozen=True)
class Choices:
    """The user's options. `bin_dir` is absolute; None means a usual folder."""

    bin_dir: Path | None = None
    link: bool = False
    dry_run: bool = False
    force: bool = False


def install(
    settings: Settings, choices: Choices, environment: Mapping[str, str], root: Path = Path("/")
) -> Iterator[str]:
    """Installs the generated command and texts; yields a line for each step.

    `root` contains the system's program folders.

    Raises UserError, before anything is written, if this is unsafe or impossible.
    """
    path = environment.get("PATH", "")
    on_path = [Path(part) for part in path.split(":") if part]
    folder = choices.bin_dir or _usual_folder(Path(environment.get("HOME") or "/"), on_path)
    with manifest.in_one_line():
        recorded = manifest.load(settings)
        normal = manifest.normal_dir(environment)
        pieces = _pieces(settings, folder, link=choices.link)
        _check_places(settings, pieces, normal)
        _check_command(pieces[-1], recorded, force=choices.force)
        steps = list(_plan(settings, pieces, recorded, normal=normal, force=choices.force))
        yield from _missing_programs(path, root, settings.sandbox)
        yield from _unusual_claude(path, settings)
        for step in steps:
            if not choices.dry_run:
                apply(step, settings, recorded)
            yield from step.lines(dry_run=choices.dry_run)
        yield from _path_advice(folder, on_path)


# ---- Files and their targets


def _usual_folder(home: Path, on_path: list[Path]) -> Path:
    usual = [home / "bin", home / ".local" / "bin"]
    return next((folder for folder in usual if folder in on_path), usual[-1])


def _pieces(settings: Settings, folder: Path, *, link: bool) -> list[Piece]:
    """The texts in path order, then the command: a three-line script that starts the one in build/, or a link to it."""
    texts = settings.build_dir / "claude-local"
    command = settings.build_dir / "bin" / COMMAND
    shim = settings.build_dir / "shim" / COMMAND
    files = [file for file in sorted(texts.rglob("*")) if file.is_file()]
    if not files or not command.is_file() or not shim.is_file():
        raise UserError(f"{settings.build_dir} is not complete", hint="write it: invoke render")
    pieces = [Piece(file, settings.client_dir / file.relative_to(texts), link) for file in files]
    return [*pieces, Piece(command if link else shim, folder / COMMAND, link, earlier=command)]


# ---- Refusals


def _check_places(settings: Settings, pieces: list[Piece], normal: Path) -> None:
    own = f"choose another folder: {PREFIX}CLIENT_DIR=…"
    if lies_in(normal, settings.client_dir):
        raise UserError(f"{settings.client_dir} is or contains your normal {normal}", hint=own)
    places = dict.fromkeys([settings.client_dir, *(piece.target.parent for piece in pieces)], own)
    places[pieces[-1].target.parent] = "choose another folder: --bin-dir …"
    places[settings.state_dir] = f"choose another folder: {PREFIX}STATE_DIR=…"
    for place, hint in places.items():
        if not str(place).isprintable():
            raise UserError(f"a folder has a line break or control character: {str(place)!r}", hint=hint)
        if lies_in(place, normal):
            raise UserError(f"{place} is in your normal {normal}, which nothing may change", hint=hint)
        there = next(part for part in (place, *place.parents) if part.exists() or part.is_symlink())
        if not there.is_dir():
            raise UserError(f"{there} is not a folder", hint=hint)
        if not os.access(there, os.W_OK | os.X_OK):
            raise UserError(f"{there} is not writable", hint=hint)


def _check_command(command: Piece, recorded: Recorded, *, force: bool) -> None:
    known = command.target in recorded or command.may_replace(recorded)
    if fingerprint(command.target) and not known and not force:
        raise UserError(
            f"{command.target} exists and is not ours",
            hint="move it away, or have it renamed to .bak: --force",
        )


# ---- Planned steps


def _plan(
    settings: Settings, pieces: list[Piece], recorded: Recorded, *, normal: Path, force: bool
) -> Iterator[Step]:
    if mode_of(settings.client_dir) != PRIVATE_DIRECTORY:
        yield Step("make", settings.client_dir, " private (0700)")
    steps = [step for piece in pieces for step in steps_for(piece, recorded, force=force)]
    steps += ide_steps(Piece(normal / "ide", settings.client_dir / "ide", link=True))
    yield from steps
    old = no_longer_needed(
        recorded, {step.path for step in steps}, settings.client_dir, pieces[-1].target.parent
    )
    yield from (step for step in old if not lies_in(step.path.parent, normal))


# ---- Notes for the user


def _missing_programs(path: str, root: Path, sandbox: str) -> Iterator[str]:
    for need in worth_naming(sandbox):
        if not need.find(path, root):
            line = install_line(need, lambda name: shutil.which(name, path=path))
            yield f"{need.program} is missing; {need.without}: {line}"


def _unusual_claude(path: str, settings: Settings) -> Iterator[str]:
    program = CLAUDE.find(path)
    kind = claude_kind(Path(program), settings.jail_read_only) if program else None
    if program and kind and settings.sandbox in CLAUDE.modes:
        yield f"{program} is {kind.about}; the jail does not show its files: {kind.remedy}"


def _path_advice(folder: Path, on_path: list[Path]) -> Iterator[str]:
    if folder not in on_path:
        line = f'export PATH={shlex.quote(str(folder))}:"$PATH"'
        yield f"{folder} is not on your PATH; add this line to ~/.profile and log in again: {line}"
        return
    earlier = ":".join(str(part) for part in on_path[: on_path.index(folder)])
    if other := shutil.which(COMMAND, path=earlier):
        yield f"{other} comes before {folder / COMMAND} on your PATH"
