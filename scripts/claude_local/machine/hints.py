"""The next step as it works in the folder where the person is."""

from __future__ import annotations

import shlex
from pathlib import Path

from claude_local.foundation.errors import UserError


def invoke_from_here(root: Path) -> str:
    """`invoke` as it can be typed in the current folder; the wrapper shows its lines everywhere."""
    try:
        is_inside = Path.cwd().is_relative_to(root)
    except FileNotFoundError:  # the folder is gone
        is_inside = False
    return "invoke" if is_inside else f"cd {shlex.quote(str(root))} && invoke"


def from_here(text: str, root: Path) -> str:
    """What to type here in place of the `invoke` in a text; "" if that works."""
    way = invoke_from_here(root)
    return "" if way in text or "invoke " not in text else f"from here: {way} …"


def failure(error: UserError, root: Path) -> str:
    """All lines of an error, and where its hints work if that is not here."""
    text = error.describe()
    way = from_here(text, root)
    return f"{text}\n  hint: {way}" if way else text
