"""The management API as a systemd unit of the user: install and remove."""

from __future__ import annotations

import contextlib
from pathlib import Path

from claude_local.build.render import HEADER
from claude_local.foundation.errors import BuildConflict
from claude_local.machine.files import write_atomic
from claude_local.machine.settings import Settings

NAME = "claude-local.service"


def install(settings: Settings) -> list[str]:
    """Installs the rendered unit in systemd's user folder. Returns lines with the result and the next step.

    Raises BuildConflict if another file is in its place.
    """
    target = _target(settings)
    _check_ours(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, (settings.build_dir / "systemd" / NAME).read_bytes())
    return [
        f"wrote {target}",
        f"start it: systemctl --user daemon-reload && systemctl --user enable --now {NAME}",
        "to run it without a login: sudo loginctl enable-linger $USER",
    ]


def remove(settings: Settings) -> list[str]:
    """Removes the unit. Raises BuildConflict if it is not ours."""
    target = _target(settings)
    _check_ours(target)
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
        return [f"removed {target}", f"stop it: systemctl --user disable --now {NAME}"]
    return [f"{target} does not exist"]


def _check_ours(target: Path) -> None:
    if target.is_file() and HEADER not in target.read_text(errors="replace").partition("\n")[0]:
        raise BuildConflict(f"{target} was not created by claude-local", hint="move it away first")


def _target(settings: Settings) -> Path:
    return settings.home / ".config" / "systemd" / "user" / NAME
