"""Hints that work in the user's current folder."""

from __future__ import annotations

import shlex
from pathlib import Path

from claude_local.foundation.errors import UserError


def invoke_from_here(root: Path) -> str:
    """The `invoke` command as it works from the current folder; the wrapper prints hints in any folder."""
    try:
        is_inside = Path.cwd().is_relative_to(root)
    except FileNotFoundError:  # the folder is gone
        is_inside = False
    return "invoke" if is_inside else f"cd {shlex.quote(str(root))} && invoke"


def from_here(text: str, root: Path) -> str:
    """Where the `invoke` in `text` works; "" if it works here."""
    way = invoke_from_here(root)
    return (
        ""
        if way in text or "invoke " not in text
        else f"run `invoke` in the checkout: {way.removesuffix(' && invoke')}"
    )


def failure(error: UserError, root: Path) -> str:
    """All lines of an error, and the command prefix for its hints if they do not work here."""
    text = error.describe()
    way = from_here(text, root)
    return f"{text}\n  hint: {way}" if way else text
