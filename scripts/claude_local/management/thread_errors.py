"""Reports of errors in background threads."""

from __future__ import annotations

import sys
import traceback

from claude_local.foundation.errors import UserError


def cause_of(error: BaseException) -> str:
    """One line: the message of an expected error; type and text of a bug."""
    return error.message if isinstance(error, UserError) else f"{type(error).__name__}: {error}"


class BugLog:
    """Writes tracebacks to stderr; a repeated bug is written once."""

    def __init__(self) -> None:
        self._last = ("", "")

    def note(self, error: Exception) -> None:
        """Writes the traceback of a bug. Expected errors are left out: the status shows them."""
        *way_there, place, text = traceback.format_exception(error)
        if not isinstance(error, UserError) and self._last != (place, text):
            self._last = (place, text)
            sys.stderr.write("".join([*way_there, place, text]))
