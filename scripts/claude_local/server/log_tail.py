"""The new lines at the end of a log."""

from __future__ import annotations


def new_lines(before: list[str], now: list[str]) -> list[str]:
    """The lines of `now` after those that are already in `before`.

    Both are ends of the same log, with the same maximum length. If they have nothing in common, all of `now`
    is new.
    """
    for start in range(len(before)):
        if before[start:] == now[: len(before) - start]:
            return now[len(before) - start :]
    return now
