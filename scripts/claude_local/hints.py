"""What to do next, said so that it works in the folder where somebody reads it."""

from __future__ import annotations

import shlex
from pathlib import Path

from claude_local.errors import UserError


def invoke_from_here(root: Path) -> str:
    """`invoke` as it can be typed in the current folder; the wrapper shows its lines everywhere."""
    try:
        is_inside = Path.cwd().is_relative_to(root)
    except FileNotFoundError:  # the folder is gone
        is_inside = False
    return "invoke" if is_inside else f"cd {shlex.quote(str(root))} && invoke"


def failure(error: UserError, root: Path) -> str:
    """All lines of an error, and where its hints work if that is not here."""
    way, told = invoke_from_here(root), error.describe()
    return told if way == "invoke" or "invoke " not in error.hint else f"{told}\n  hint: from here: {way} …"
