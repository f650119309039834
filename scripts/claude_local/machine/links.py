"""Links that lead out of a folder, which dangle where only that folder is mounted."""

from __future__ import annotations

from pathlib import Path

from claude_local.foundation.errors import UserError

MAX_LINKS = 40
"""As Linux follows them."""


def way_out(folder: Path, path: str) -> Path | None:
    """The first link on the way to `path` below `folder` that leads out of it; None if all stay inside.

    A link with an absolute target leads out, even into the same folder: a container has it at another path.
    """
    parts, links = path.split("/")[::-1], 0
    done: list[str] = []
    while parts:
        part = parts.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                return folder / path
            done.pop()
            continue
        here = folder.joinpath(*done, part)
        if not here.is_symlink():
            done.append(part)
            continue
        target = str(here.readlink())
        links += 1
        if target.startswith("/") or links > MAX_LINKS or _climbs_out(done, target):
            return here
        parts += target.split("/")[::-1]
    return None


def check_inside(folder: Path, path: str) -> None:
    """Raises UserError if a link leads out of `folder` on the way to `path`."""
    if link := way_out(folder, path):
        raise UserError(
            f"{link} is a link to {link.readlink()}, which the container cannot see: it has only {folder}",
            hint="put the file itself there (a hard link takes no space: ln -L FILE NAME), or set "
            "CLAUDE_LOCAL_MODELS_DIR to a folder that holds both, with a relative link; "
            "or run without a container: --engine embedded",
        )


def _climbs_out(done: list[str], target: str) -> bool:
    depth = len(done)
    for part in target.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            return True
    return False


def below(folder: Path, path: Path) -> str | None:
    """`path` relative to `folder`, by what both are and not by their spelling; None if it is not below."""
    for one in (path, path.parent.resolve() / path.name, path.resolve()):
        for base in (folder, folder.resolve()):
            if one.is_relative_to(base):
                return str(one.relative_to(base))
    return None
