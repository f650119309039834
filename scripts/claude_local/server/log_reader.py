"""Reads the end of an engine's log repeatedly: the new lines, and the last requests."""

from __future__ import annotations

import contextlib

from claude_local.foundation.errors import UserError
from claude_local.foundation.plain_text import harmless
from claude_local.foundation.snapshot import Turn
from claude_local.server.engines.engine import Engine
from claude_local.server.log_tail import new_lines
from claude_local.server.prompt_reuse import TurnReader

LOG_LINES = 500
OWN_QUESTIONS = "proxying request to model"
"""The router writes this for each of our requests, three a second: it would hide everything else."""


class LogReader:
    """Reads the last lines on each call of `read`."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._new: list[str] = []
        self._turns = TurnReader()

    @property
    def last_line(self) -> str:
        return self._lines[-1] if self._lines else ""

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The last requests, oldest first."""
        return self._turns.turns

    def take_new(self) -> list[str]:
        """The new lines since the last call, without control characters."""
        new, self._new = self._new, []
        return new

    def read(self, engine: Engine | None) -> None:
        """Reads the log once. An engine without a log changes nothing: the same log may come back later."""
        lines = _last_lines(engine) if engine and engine.is_ours else []
        if not lines:
            return
        for line in new_lines(self._lines, lines):
            self._turns.feed(line)
            if OWN_QUESTIONS not in line:
                self._new.append(line)
        self._lines = lines


def _last_lines(engine: Engine) -> list[str]:
    with contextlib.suppress(UserError):
        return [harmless(line) for line in engine.log_lines(tail=LOG_LINES, follow=False)]
    return []
