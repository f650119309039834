"""Puts `claude-local` where the shell finds it. Touches nothing else of the home folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from claude_local.errors import UserError
from claude_local.settings import Settings

COMMAND = "claude-local"


def install(settings: Settings, bin_dir: Path | None, environment: Mapping[str, str]) -> Iterator[str]:
    """Links the generated command into a folder on the PATH; yields what was done, line by line.

    Raises UserError if something that is not ours stands there.
    """
    on_path = [Path(part) for part in environment.get("PATH", "").split(":") if part]
    folder = bin_dir or _usual_folder(Path(environment.get("HOME", "/")), on_path)
    target = settings.build_dir / "bin" / COMMAND
    link = folder / COMMAND
    if link.is_symlink() and link.readlink() == target:
        yield f"{link} is already there"
    else:
        if link.exists() or link.is_symlink():
            raise UserError(f"{link} exists and is not ours", hint=f"move it away: {link}")
        folder.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        yield f"{link} -> {target}"
    if folder not in on_path:
        yield f'{folder} is not on your PATH; add it: export PATH="{folder}:$PATH"'


def _usual_folder(home: Path, on_path: list[Path]) -> Path:
    usual = [home / "bin", home / ".local" / "bin"]
    return next((folder for folder in usual if folder in on_path), usual[-1])
