"""The user's terminal: messages go to stderr, data to stdout; untrusted text is shown without control characters."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

from claude_local.foundation.errors import UserError

talk = Console(stderr=True, highlight=False)
data = Console(highlight=False)


def is_interactive(environment: Mapping[str, str]) -> bool:
    """Whether input and output are a terminal that can be drawn on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and environment.get("TERM", "dumb") != "dumb"


def can_ask() -> bool:
    """Whether the user can be asked: stdin and stderr are both a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def has_cursor_keys(environment: Mapping[str, str]) -> bool:
    """Whether the terminal sends cursor keys; `dumb` and unnamed ones do not."""
    return environment.get("TERM", "dumb") != "dumb"


def say(text: str) -> None:
    """Prints one line to stderr."""
    talk.print(escape(text), soft_wrap=True)


def warn(text: str) -> None:
    """Prints one warning line to stderr."""
    talk.print(f"[yellow]warning:[/yellow] {escape(text)}", soft_wrap=True)


def confirm(question: str, *, hint: str) -> bool:
    """Whether the user answers yes. Raises UserError with `hint` without a terminal."""
    if not can_ask():
        raise UserError("cannot ask: there is no terminal", hint=hint)
    answer = talk.input(escape(f"{question} [y/N] ")).strip().lower()
    return answer in ("y", "yes")
