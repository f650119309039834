"""Which lines of the log are on the screen: scrolling, following, filter and search. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from claude_local.dashboard.scene import LogTail

SHIFT_COLUMNS = 20


@dataclass(frozen=True)
class LogView:
    """The visible part of the log."""

    bottom: int | None = None
    """The number of the last line on the screen; None follows the newest."""
    shift_columns: int = 0
    """Columns scrolled out on the left."""
    filter: str = ""
    """Only lines that contain this are shown, in any case."""
    search: str = ""
    """Lines that contain this are marked, and `n` jumps between them."""


def visible(log: LogTail, view: LogView, rows: int) -> list[tuple[int, str]]:
    """The lines for `rows` rows, with their numbers."""
    numbers = matching(log, view.filter)
    end = len(numbers) if view.bottom is None else _count_up_to(numbers, view.bottom)
    shown = numbers[max(0, end - rows) : max(end, min(rows, len(numbers)))] if rows > 0 else []
    return [(number, log.lines[number - log.first]) for number in shown]


def matching(log: LogTail, text: str) -> range | list[int]:
    """The numbers of the lines that contain `text`, in order."""
    if not text:
        return range(log.first, log.end)
    wanted = text.casefold()
    return [number for number, line in enumerate(log.lines, log.first) if wanted in line.casefold()]


def scrolled(log: LogTail, view: LogView, lines: int, rows: int) -> LogView:
    """The view after `lines` down, or up if negative, with `rows` on the screen. At the end it follows."""
    numbers = matching(log, view.filter)
    end = len(numbers) if view.bottom is None else _count_up_to(numbers, view.bottom)
    end = max(min(rows, len(numbers)), end + lines)
    return replace(view, bottom=None if end >= len(numbers) else numbers[end - 1])


def to_oldest(log: LogTail, view: LogView, rows: int) -> LogView:
    """The view of the oldest lines."""
    return scrolled(log, view, -len(log.lines), rows)


def found(log: LogTail, view: LogView, *, older: bool) -> LogView | None:
    """The view of the next line that matches the search; None if no more in that direction."""
    hits = [
        number
        for number in matching(log, view.search)
        if not view.filter or view.filter.casefold() in log.lines[number - log.first].casefold()
    ]
    here = log.end if view.bottom is None else view.bottom
    that_way = [hit for hit in hits if (hit < here if older else hit > here)]
    if not that_way:
        return None
    return replace(view, bottom=that_way[-1] if older else that_way[0])


def _count_up_to(numbers: range | list[int], bottom: int) -> int:
    """How many numbers are at most `bottom`; at least one, as old lines are dropped while they are read."""
    if isinstance(numbers, range):
        return max(1, min(len(numbers), bottom - numbers.start + 1)) if numbers else 0
    return max(1, sum(number <= bottom for number in numbers)) if numbers else 0
