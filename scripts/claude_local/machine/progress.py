"""Progress of long transfers: a bar with speed and remaining time, or some lines without a terminal."""

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
"""Hears how many bytes are there now."""


@contextlib.contextmanager
def transfer(label: str, total_bytes: int, *, have_bytes: int = 0) -> Iterator[At]:
    """Shows how far a transfer of `total_bytes` is; `have_bytes` were there before."""
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
    """Says a line at each tenth."""
    terminal.say(f"{label}: {figures.size(have_bytes)} of {figures.size(total_bytes)}")
    said = have_bytes * LINES_WITHOUT_TERMINAL // max(total_bytes, 1)

    def at(position: int) -> None:
        nonlocal said
        tenth = position * LINES_WITHOUT_TERMINAL // max(total_bytes, 1)
        if tenth > said:
            said = tenth
            terminal.say(f"{label}: {position / total_bytes:.0%}")

    return at
