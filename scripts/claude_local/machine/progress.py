"""Progress of long transfers: a bar with speed and remaining time; without a terminal, a few lines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from claude_local.foundation import figures
from claude_local.machine import terminal

LINES_WITHOUT_TERMINAL = 10

At = Callable[[int], None]
"""Receives the number of bytes so far."""


@contextlib.contextmanager
def transfer(label: str, total_bytes: int, *, have_bytes: int = 0) -> Iterator[At]:
    """Shows the progress of a transfer of `total_bytes`, of which `have_bytes` already exist."""
    if not terminal.talk.is_terminal:
        yield _lines(label, total_bytes, have_bytes)
        return
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()),
        *(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()),
    )
    with Progress(*columns, console=terminal.talk) as bars:
        task = bars.add_task(escape(label), total=total_bytes, completed=have_bytes)
        yield lambda position: bars.update(task, completed=position)


def _lines(label: str, total_bytes: int, have_bytes: int) -> At:
    """Prints a line at each tenth."""
    terminal.say(f"{label}: {figures.size(have_bytes)} of {figures.size(total_bytes)}")
    said = have_bytes * LINES_WITHOUT_TERMINAL // max(total_bytes, 1)

    def at(position: int) -> None:
        nonlocal said
        tenth = position * LINES_WITHOUT_TERMINAL // max(total_bytes, 1)
        if tenth > said:
            said = tenth
            terminal.say(f"{label}: {position / total_bytes:.0%}")

    return at
